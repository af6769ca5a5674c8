#include "firmware/tunnel/uplinks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "firmware/tunnel/difference.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

const ports::LinkState* find_link(const ports::NetworkState& network, std::string_view name) {
  for (const ports::LinkState& link : network.links) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

bool is_default(const ports::RouteState& route) {
  return route.table == ports::kMainTable && route.to.length == 0 &&
         route.kind == ports::RouteKind::unicast && route.link != 0 &&
         route.protocol != ports::kOurProtocol;
}

// The one of the least metric.
const ports::RouteState* default_route(const ports::NetworkState& network, Family family,
                                       int link) {
  const ports::RouteState* best = nullptr;
  for (const ports::RouteState& route : network.routes) {
    if (!is_default(route) || route.family != family || route.link != link) continue;
    if (best == nullptr || route.metric < best->metric) best = &route;
  }
  return best;
}

bool has_address(const UplinkSeen& uplink, Family family) {
  return std::any_of(uplink.addresses.begin(), uplink.addresses.end(),
                     [&](const IpPrefix& one) { return one.address.family == family; });
}

Words trouble_of(const UplinkSeen& uplink) {
  const std::string& i = uplink.interface;
  if (uplink.link == 0) {
    return {fmt::format("There is no interface {}; check its name in the settings, or whether "
                        "the device is plugged in.",
                        i),
            fmt::format("没有网络接口 {}；请检查设置中的名称，或设备是否已插好。", i)};
  }
  if (!uplink.up) {
    return {fmt::format("The interface {} is switched off; set it up (ip link set {} up).", i, i),
            fmt::format("网络接口 {} 处于关闭状态；请启用它（ip link set {} up）。", i, i)};
  }
  if (!uplink.carrier) {
    return {fmt::format("The interface {} has no carrier; check the cable and the modem.", i),
            fmt::format("网络接口 {} 没有信号；请检查网线和光猫/调制解调器。", i)};
  }
  if (uplink.addresses.empty()) {
    return {fmt::format("The interface {} has no address; check DHCP or PPPoE on it.", i),
            fmt::format("网络接口 {} 没有地址；请检查其 DHCP 或 PPPoE。", i)};
  }
  if (!uplink.has_default4 && !uplink.has_default6) {
    return {fmt::format("The interface {} has no default route; its gateway is not known. Check "
                        "DHCP or the router.",
                        i),
            fmt::format("网络接口 {} 没有默认路由，网关未知；请检查 DHCP 或路由器。", i)};
  }
  if (!uplink.carries(Family::v4) && !uplink.carries(Family::v6)) {
    return {fmt::format("The addresses and the default route of {} are of different families; "
                        "check DHCP and the router's IPv6.",
                        i),
            fmt::format(
                "网络接口 {} 的地址与默认路由不属于同一协议族；请检查 DHCP 和路由器的 IPv6。", i)};
  }
  return {};
}

UplinkSeen look(const ports::NetworkState& network, const UplinkSetting& setting) {
  UplinkSeen out;
  out.name = setting.name;
  out.interface = setting.interface;
  out.metered = setting.metered;
  out.preference = setting.preference;
  const ports::LinkState* link = find_link(network, setting.interface);
  if (link != nullptr) {
    out.link = link->index;
    out.up = link->up;
    out.carrier = link->up && link->carrier;
    out.mtu = link->mtu;
    out.addresses = link->addresses;
    std::sort(out.addresses.begin(), out.addresses.end());
    const auto* route4 = default_route(network, Family::v4, link->index);
    const auto* route6 = default_route(network, Family::v6, link->index);
    out.has_default4 = route4 != nullptr;
    out.has_default6 = route6 != nullptr;
    if (route4 != nullptr) out.gateway4 = route4->gateway;
    if (route6 != nullptr) out.gateway6 = route6->gateway;
  }
  out.trouble = trouble_of(out);
  return out;
}

// Every interface with a default route, least metric first; then those that had one before.
std::vector<UplinkSetting> automatic(const ports::NetworkState& network,
                                     const std::vector<UplinkSeen>& before) {
  std::vector<std::pair<uint32_t, std::string>> found;
  for (const ports::LinkState& link : network.links) {
    if (link.loopback || is_our_interface(link.name)) continue;
    const auto* route4 = default_route(network, Family::v4, link.index);
    const auto* route6 = default_route(network, Family::v6, link.index);
    if (route4 == nullptr && route6 == nullptr) continue;
    uint32_t metric = UINT32_MAX;
    if (route4 != nullptr) metric = route4->metric;
    if (route4 == nullptr) metric = route6->metric;
    found.emplace_back(metric, link.name);
  }
  std::sort(found.begin(), found.end());
  std::vector<UplinkSetting> out;
  for (const auto& [metric, name] : found) {
    out.push_back({name, name, false, static_cast<int>(out.size())});
  }
  for (const UplinkSeen& one : before) {
    const bool there = std::any_of(out.begin(), out.end(), [&](const UplinkSetting& setting) {
      return setting.interface == one.interface;
    });
    if (!there) out.push_back({one.interface, one.interface, false, static_cast<int>(out.size())});
  }
  return out;
}

// Those of `before` keep theirs; the others get the smallest free.
void number_them(std::vector<UplinkSeen>& uplinks, const std::vector<UplinkSeen>& before) {
  std::set<int> taken;
  for (UplinkSeen& one : uplinks) {
    const UplinkSeen* old = find_uplink(before, one.name);
    one.number = old == nullptr ? -1 : old->number;
    if (old != nullptr) taken.insert(old->number);
  }
  int next = 0;
  for (UplinkSeen& one : uplinks) {
    if (one.number >= 0) continue;
    while (taken.count(next) > 0) ++next;
    one.number = next;
    taken.insert(next);
  }
}

}  // namespace

bool UplinkSeen::carries(IpAddress::Family family) const {
  const bool route = family == Family::v4 ? has_default4 : has_default6;
  return link != 0 && up && carrier && route && has_address(*this, family);
}

std::vector<UplinkSeen> uplinks_seen(const ports::NetworkState& network,
                                     const std::vector<UplinkSetting>& settings,
                                     const std::vector<UplinkSeen>& before) {
  auto chosen = settings.empty() ? automatic(network, before) : settings;
  if (chosen.size() > static_cast<size_t>(kUplinksMax)) chosen.resize(kUplinksMax);
  std::vector<UplinkSeen> out;
  for (const UplinkSetting& setting : chosen) out.push_back(look(network, setting));
  number_them(out, before);
  return out;
}

const char* to_text(UplinkEvent event) {
  switch (event) {
    case UplinkEvent::appeared:
      return "appeared";
    case UplinkEvent::vanished:
      return "vanished";
    case UplinkEvent::carrier_lost:
      return "carrier_lost";
    case UplinkEvent::carrier_back:
      return "carrier_back";
    case UplinkEvent::renumbered:
      return "renumbered";
  }
  return "?";
}

std::vector<UplinkChange> uplink_changes(const std::vector<UplinkSeen>& before,
                                         const std::vector<UplinkSeen>& after) {
  std::vector<UplinkChange> out;
  for (const UplinkSeen& now : after) {
    const UplinkSeen* was = find_uplink(before, now.name);
    const auto add = [&](UplinkEvent event) { out.push_back({now.number, now.name, event}); };
    const bool was_there = was != nullptr && was->link != 0;
    if (!was_there && now.link != 0) add(UplinkEvent::appeared);
    if (was_there && now.link == 0) add(UplinkEvent::vanished);
    if (!was_there || now.link == 0) continue;
    if (was->carrier && !now.carrier) {
      add(UplinkEvent::carrier_lost);
      continue;
    }
    if (!was->carrier && now.carrier) add(UplinkEvent::carrier_back);
    const bool same = was->link == now.link && was->addresses == now.addresses &&
                      was->has_default4 == now.has_default4 &&
                      was->has_default6 == now.has_default6 && was->gateway4 == now.gateway4 &&
                      was->gateway6 == now.gateway6;
    if (!same) add(UplinkEvent::renumbered);
  }
  for (const UplinkSeen& was : before) {
    const bool gone = was.link != 0 && find_uplink(after, was.name) == nullptr;
    if (gone) out.push_back({was.number, was.name, UplinkEvent::vanished});
  }
  return out;
}

const UplinkSeen* find_uplink(const std::vector<UplinkSeen>& uplinks, std::string_view name) {
  for (const UplinkSeen& one : uplinks) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

}  // namespace sluice::tunnel
