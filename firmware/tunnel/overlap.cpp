#include "firmware/tunnel/overlap.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/tunnel/difference.h"

namespace sluice::tunnel {

namespace {

Words site_words(const IpPrefix& ours, const IpPrefix& theirs, const std::string& interface) {
  return {
      fmt::format("The network's {} and this site's {} on {} are the same addresses, so the tunnel "
                  "is not brought up: part of the site would be cut off. Renumber the site's {} "
                  "(its DHCP server), or ask the operator for other addresses.",
                  ours.text(), theirs.text(), interface, theirs.text()),
      fmt::format("算力网络的 {} 与本地 {} 接口上的 {} 地址重叠，因此未建立隧道：否则本地部分网络将"
                  "无法访问。请更改本地网段 {}（DHCP 服务器设置），或请运营方更换地址段。",
                  ours.text(), interface, theirs.text(), theirs.text())};
}

Words tunnel_words(const IpPrefix& ours, const std::string& interface) {
  return {
      fmt::format("Another program's tunnel {0} leads to {1} already; two cannot. Stop that one "
                  "(wg-quick down {0}) and take it out of the start of the system.",
                  interface, ours.text()),
      fmt::format("其他程序的隧道 {0} 已经通向 {1}，两者不能并存。请停用它（wg-quick down "
                  "{0}）并取消其开机启动。",
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

class Finder {
 public:
  explicit Finder(const Membership& membership) : membership_(membership) {}

  void compare(const IpPrefix& theirs, const std::string& interface, bool is_tunnel) {
    for (const IpPrefix& ours : membership_.prefixes) {
      if (theirs.length == 0 || !ours.overlaps(theirs)) continue;
      add({ours, theirs.network(), interface,
           is_tunnel ? tunnel_words(ours, interface)
                     : site_words(ours, theirs.network(), interface.empty() ? "-" : interface)});
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
    if (!known && found_.size() < kOverlapsMax) found_.push_back(std::move(overlap));
  }

  const Membership& membership_;
  std::vector<Overlap> found_;
};

}  // namespace

std::vector<Overlap> overlaps(const Membership& membership, const ports::NetworkState& network) {
  Finder finder(membership);
  const auto find = [&](int index) {
    const ports::LinkState* found = nullptr;
    for (const ports::LinkState& link : network.links) {
      if (link.index == index) found = &link;
    }
    return found;
  };
  const auto is_tunnel = [](const ports::LinkState& link) {
    return link.kind == "wireguard" || link.kind == "tun";
  };
  for (const ports::LinkState& link : network.links) {
    if (is_our_interface(link.name)) continue;
    for (const IpPrefix& one : link.addresses) finder.compare(one, link.name, is_tunnel(link));
  }
  for (const ports::RouteState& route : network.routes) {
    const ports::LinkState* link = find(route.link);
    if (route.protocol == ports::kOurProtocol) continue;
    if (link == nullptr) finder.compare(route.to, "", false);
    if (link == nullptr || is_our_interface(link->name)) continue;
    finder.compare(route.to, link->name, is_tunnel(*link));
  }
  for (const Pop& pop : membership.pops) {
    for (const std::string& host : pop.hosts) finder.compare(pop, host);
  }
  return finder.take();
}

}  // namespace sluice::tunnel
