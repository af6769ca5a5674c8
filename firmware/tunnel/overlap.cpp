#include "firmware/tunnel/overlap.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/tunnel/difference.h"

namespace sluice::tunnel {

namespace {

Words site_words(const IpPrefix& ours, const IpPrefix& theirs, const std::string& interface) {
  return {
      fmt::format("The network's {} and this site's {} on {} are the same addresses, so the tunnel "
                  "is not brought up: part of the site would be cut off. What is connected to "
                  "that interface stays the site's; all else of the network is unreachable "
                  "meanwhile, and nothing of it leaves in clear. Renumber the site's {} (its DHCP "
                  "server), or ask the operator for other addresses.",
                  ours.text(), theirs.text(), interface, theirs.text()),
      fmt::format("算力网络的 {} 与本地 {} 接口上的 {} 地址重叠，因此未建立隧道：否则本地部分网络将"
                  "无法访问。该接口直连的网段仍归本地使用；算力网络的其余地址暂不可达，"
                  "不会有数据以明文发出。请更改本地网段 {}（DHCP 服务器设置），"
                  "或请运营方更换地址段。",
                  ours.text(), interface, theirs.text(), theirs.text())};
}

Words route_words(const IpPrefix& ours, const IpPrefix& theirs, const std::string& interface) {
  return {
      fmt::format("A route of this machine leads to {0} by {1}, among the network's {2}. The "
                  "network comes first: what is for {2} goes through a tunnel or nowhere, never by "
                  "that route. If it is not yours, the DHCP server of that line draws traffic to "
                  "itself: take the line off. If it is, renumber what lies behind it, or ask the "
                  "operator for other addresses.",
                  theirs.text(), interface, ours.text()),
      fmt::format(
          "本机有一条经 {1} 通往 {0} 的路由，与算力网络的 {2} 重叠。以算力网络为准：发往 {2} "
          "的数据只走隧道，否则不发出，绝不走该路由。若该路由并非您所设，则是该线路的 DHCP "
          "服务器在引走流量，请断开该线路；若是您所设，请更改其后的网段，"
          "或请运营方更换地址段。",
          theirs.text(), interface, ours.text())};
}

Words tunnel_words(const IpPrefix& ours, const std::string& interface) {
  return {fmt::format(
              "Another program's tunnel {0} leads to {1} already; two cannot. Nothing goes to "
              "{1} meanwhile. Stop that one (wg-quick down {0}) and take it out of the start of "
              "the system.",
              interface, ours.text()),
          fmt::format("其他程序的隧道 {0} 已经通向 {1}，两者不能并存，在此期间 {1} "
                      "不可达。请停用它（wg-quick down {0}）并取消其开机启动。",
                      interface, ours.text())};
}

Words pop_words(const IpPrefix& ours, const Pop& pop, const std::string& host) {
  return {
      fmt::format("The PoP {} is reached at {}, which lies inside the network's own {}: what "
                  "carries the tunnel cannot go through it. Ask the operator to mend this.",
                  pop.name, host, ours.text()),
      fmt::format("接入点 {} 的地址 {} 位于算力网络自身的网段 {} 内：承载隧道的流量不能再进入隧道。"
                  "请联系运营方修正。",
                  pop.name, host, ours.text())};
}

bool is_tunnel(const ports::LinkState& link, const std::vector<UplinkSeen>& uplinks) {
  if (link.kind != "wireguard" && link.kind != "tun") return false;
  return std::none_of(uplinks.begin(), uplinks.end(),
                      [&](const UplinkSeen& one) { return one.link == link.index; });
}

class Finder {
 public:
  Finder(const Membership& membership, const std::vector<UplinkSeen>& uplinks)
      : membership_(membership), uplinks_(uplinks) {}

  void compare_address(const IpPrefix& theirs, const ports::LinkState& link) {
    for (const IpPrefix& ours : membership_.prefixes) {
      if (!ours.overlaps(theirs)) continue;
      add({ours, theirs.network(), link.name,
           is_tunnel(link, uplinks_) ? tunnel_words(ours, link.name)
                                     : site_words(ours, theirs.network(), link.name)});
    }
  }
  void compare_route(const IpPrefix& theirs, const ports::LinkState* link) {
    const std::string interface = link == nullptr ? "" : link->name;
    const bool refuses = link != nullptr && is_tunnel(*link, uplinks_);
    for (const IpPrefix& ours : membership_.prefixes) {
      if (theirs.length == 0 || !ours.overlaps(theirs)) continue;
      add({ours, theirs.network(), interface,
           refuses ? tunnel_words(ours, interface)
                   : route_words(ours, theirs.network(), interface.empty() ? "-" : interface),
           refuses});
    }
  }
  void compare(const Pop& pop, const std::string& host) {
    const auto address = IpAddress::parse(host);
    if (!address) return;
    for (const IpPrefix& ours : membership_.prefixes) {
      if (!ours.contains(*address)) continue;
      add({ours, {*address, address->bits()}, "", pop_words(ours, pop, host)});
    }
  }
  std::vector<Overlap> take() { return std::move(found_); }

 private:
  void add(Overlap overlap) {
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const Overlap& one) {
      return one.ours == overlap.ours && one.theirs == overlap.theirs &&
             one.interface == overlap.interface;
    });
    if (known || found_.size() == kOverlapsMax) return;
    if (!overlap.refuses && ++routes_ > kRoutesToldMax) return;
    found_.push_back(std::move(overlap));
  }

  const Membership& membership_;
  const std::vector<UplinkSeen>& uplinks_;
  std::vector<Overlap> found_;
  size_t routes_ = 0;
};

}  // namespace

std::vector<Overlap> overlaps(const Membership& membership, const ports::NetworkState& network,
                              const std::vector<UplinkSeen>& uplinks) {
  Finder finder(membership, uplinks);
  const auto find = [&](int index) {
    const ports::LinkState* found = nullptr;
    for (const ports::LinkState& link : network.links) {
      if (link.index == index) found = &link;
    }
    return found;
  };
  for (const ports::LinkState& link : network.links) {
    if (is_our_interface(link.name)) continue;
    for (const IpPrefix& one : link.addresses) finder.compare_address(one, link);
  }
  for (const ports::RouteState& route : network.routes) {
    const ports::LinkState* link = find(route.link);
    if (route.protocol == ports::kOurProtocol) continue;
    if (link != nullptr && is_our_interface(link->name)) continue;
    finder.compare_route(route.to, link);
  }
  for (const Pop& pop : membership.pops) {
    for (const std::string& host : pop.hosts) finder.compare(pop, host);
  }
  return finder.take();
}

std::vector<SitePart> site_parts(const Membership& membership, const ports::NetworkState& network,
                                 const std::vector<UplinkSeen>& uplinks) {
  std::vector<SitePart> parts;
  const auto add = [&parts](SitePart part) {
    const bool known = std::any_of(parts.begin(), parts.end(),
                                   [&](const SitePart& one) { return one.net == part.net; });
    if (!known && parts.size() < kOverlapsMax) parts.push_back(std::move(part));
  };
  for (const ports::LinkState& link : network.links) {
    if (is_our_interface(link.name) || is_tunnel(link, uplinks) || !link.up || link.loopback)
      continue;
    for (const IpPrefix& one : link.addresses) {
      if (one.length >= one.address.bits()) continue;  // connected to nothing but itself
      for (const IpPrefix& ours : inner_destinations(membership)) {
        if (!ours.overlaps(one)) continue;
        const IpPrefix net = ours.length > one.length ? ours : one.network();
        add({net, link.index, link.name, one.address});
      }
    }
  }
  return parts;
}

bool is_of_site(const std::vector<SitePart>& site, const IpAddress& address) {
  return std::any_of(site.begin(), site.end(),
                     [&](const SitePart& part) { return part.net.contains(address); });
}

}  // namespace sluice::tunnel
