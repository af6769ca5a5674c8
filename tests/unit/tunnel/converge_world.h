// A network of two uplinks and two PoPs, and a kernel's tables as a model that applies changes.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/random.h"
#include "firmware/tunnel/difference.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/path_keys.h"
#include "firmware/tunnel/wanted.h"

namespace sluice::tunnel::converge {

class CountedSecrets final : public ports::Secrets {
 public:
  std::string bytes(size_t count) override {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += static_cast<char>(next_++ * 37 + 11);
    return out;
  }

 private:
  uint8_t next_ = 1;
};

inline IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
inline IpPrefix net(const char* text) { return IpPrefix::parse(text).value(); }

inline Membership member() {
  CountedSecrets secrets;
  Membership out;
  out.operator_url = "https://operator.example";
  out.ca_file = "/etc/sluice/operator.pem";
  out.box_id = "00112233445566aa";
  out.credential = "credential-of-the-box";
  out.instance = "8899aabbccddeeff";
  out.network = "lab";
  out.address = ip("10.88.0.2");
  out.prefixes = {net("10.88.0.0/24"), net("10.89.0.0/16")};
  out.probe_key = make_private_key(secrets);
  out.pops = {{"north", "cn-north", {"192.0.2.1", "north.example"}, 51819, ip("10.88.0.1"), 51900},
              {"south", "cn-south", {"198.51.100.1"}, 51819, ip("10.88.0.3"), 51900}};
  int number = 0;
  for (const char* uplink : {"wan0", "wan1"}) {
    for (const char* pop : {"north", "south"}) {
      MemberPath path;
      path.name = {uplink, pop, Transport::udp4};
      path.number = number++;
      path.private_key = make_private_key(secrets);
      path.key_made = Date::from_us(1'790'000'000'000'000);
      Lane lane;
      lane.public_key = public_key_of(make_private_key(secrets));
      lane.port = static_cast<uint16_t>(51820 + number);
      lane.tcp_port = 443;
      lane.preshared = make_private_key(secrets);
      path.lane = lane;
      out.paths.push_back(path);
    }
  }
  return out;
}

inline ports::RouteState route(const char* to, int link, const char* gateway, uint32_t metric) {
  ports::RouteState out;
  out.to = net(to);
  out.family = out.to.address.family;
  out.link = link;
  if (gateway != nullptr) out.gateway = ip(gateway);
  out.metric = metric;
  out.protocol = 3;
  return out;
}

// lo 1, wan0 2, wan1 3, lan0 4; slwN is 10 + N.
inline ports::NetworkState machine() {
  ports::NetworkState out;
  out.links = {{1, "lo", "", true, true, true, 65536, {}},
               {2, "wan0", "", true, true, false, 1500, {net("203.0.113.5/24")}},
               {3, "wan1", "", true, true, false, 1500, {net("100.64.3.9/30")}},
               {4, "lan0", "", true, true, false, 1500, {net("192.168.1.1/24")}}};
  out.routes = {route("0.0.0.0/0", 2, "203.0.113.1", 100), route("203.0.113.0/24", 2, nullptr, 100),
                route("0.0.0.0/0", 3, "100.64.3.10", 200), route("100.64.3.8/30", 3, nullptr, 200),
                route("192.168.1.0/24", 4, nullptr, 0)};
  return out;
}

inline void open_path(ports::NetworkState& network, int number) {
  network.links.push_back({10 + number, interface_of(number), "tun", false, true, false, 1420, {}});
}

// What rtnetlink does with single changes, as far as they are used here.
class KernelModel {
 public:
  explicit KernelModel(ports::NetworkState state) : state_(std::move(state)) {}
  const ports::NetworkState& state() const { return state_; }
  bool refused = false;  // a change named something that has to be there first

  void apply(const ports::NetworkChange& change) {
    std::visit([this](const auto& one) { take(one); }, change);
  }

  // By which link a packet to `to` leaves; nothing: it is rejected.
  std::optional<std::string> leaves_by(const IpAddress& to, uint32_t mark) const {
    std::vector<ports::RuleState> rules = state_.rules;
    std::stable_sort(rules.begin(), rules.end(),
                     [](const auto& a, const auto& b) { return a.priority < b.priority; });
    ports::RuleState main;
    main.table = ports::kMainTable;
    main.priority = 32766;
    main.family = to.family;
    rules.push_back(main);
    for (const auto& rule : rules) {
      if (rule.family != to.family || (mark & rule.mask) != rule.mark) continue;
      if (rule.to && !rule.to->contains(to)) continue;
      const ports::RouteState* best = best_route(rule.table, to);
      if (best == nullptr) continue;
      if (best->kind != ports::RouteKind::unicast) return {};
      return name_of(link_of(*best));
    }
    return {};
  }

 private:
  const ports::RouteState* best_route(uint32_t table, const IpAddress& to) const {
    const ports::RouteState* best = nullptr;
    for (const auto& one : state_.routes) {
      if (one.table != table || one.family != to.family || !one.to.contains(to)) continue;
      const bool better = best == nullptr || one.to.length > best->to.length ||
                          (one.to.length == best->to.length && one.metric < best->metric);
      if (better) best = &one;
    }
    return best;
  }
  int link_of(const ports::RouteState& route) const {
    if (route.nexthop == 0) return route.link;
    for (const auto& one : state_.nexthops) {
      if (one.id != route.nexthop) continue;
      if (one.group.empty()) return one.link;
      for (const auto& member : state_.nexthops) {
        if (member.id == one.group.front()) return member.link;
      }
    }
    return 0;
  }
  std::string name_of(int link) const {
    for (const auto& one : state_.links) {
      if (one.index == link) return one.name;
    }
    return "nowhere";
  }
  ports::LinkState* link(int index) {
    for (auto& one : state_.links) {
      if (one.index == index) return &one;
    }
    return nullptr;
  }
  bool has_nexthop(uint32_t id) const {
    return std::any_of(state_.nexthops.begin(), state_.nexthops.end(),
                       [&](const auto& one) { return one.id == id; });
  }

  void take(const ports::SetLink& change) {
    if (link(change.index) == nullptr) return void(refused = true);
    link(change.index)->up = change.up;
    if (change.mtu != 0) link(change.index)->mtu = change.mtu;
  }
  void take(const ports::AddAddress& change) {
    if (link(change.link) == nullptr) return void(refused = true);
    link(change.link)->addresses.push_back(change.address);
  }
  void take(const ports::RemoveAddress& change) {
    std::erase(link(change.link)->addresses, change.address);
  }
  void take(const ports::PutRoute& change) {
    const auto& route = change.route;
    if (route.nexthop != 0 && !has_nexthop(route.nexthop)) refused = true;
    if (route.nexthop == 0 && route.link != 0 && !link(route.link)->up) refused = true;
    if (route.source) {
      const bool local =
          std::any_of(state_.links.begin(), state_.links.end(), [&](const auto& one) {
            return std::any_of(
                one.addresses.begin(), one.addresses.end(),
                [&](const auto& address) { return address.address == *route.source; });
          });
      refused = refused || !local;
    }
    for (auto& one : state_.routes) {
      const bool key = one.family == route.family && one.table == route.table &&
                       one.to == route.to && one.metric == route.metric;
      if (key) return void(one = route);
    }
    state_.routes.push_back(route);
  }
  void take(const ports::RemoveRoute& change) { std::erase(state_.routes, change.route); }
  void take(const ports::AddRule& change) { state_.rules.push_back(change.rule); }
  void take(const ports::RemoveRule& change) { std::erase(state_.rules, change.rule); }
  void take(const ports::PutNexthop& change) {
    for (const uint32_t member : change.nexthop.group) refused = refused || !has_nexthop(member);
    const bool down = change.nexthop.group.empty() && !link(change.nexthop.link)->up;
    refused = refused || down;
    for (auto& one : state_.nexthops) {
      if (one.id == change.nexthop.id) return void(one = change.nexthop);
    }
    state_.nexthops.push_back(change.nexthop);
  }
  // A group without members goes, and with it the routes that name it.
  void take(const ports::RemoveNexthop& change) {
    std::erase_if(state_.nexthops, [&](const auto& one) { return one.id == change.id; });
    std::erase_if(state_.routes, [&](const auto& one) { return one.nexthop == change.id; });
    std::vector<uint32_t> empty;
    for (auto& one : state_.nexthops) {
      if (std::erase(one.group, change.id) > 0 && one.group.empty()) empty.push_back(one.id);
    }
    for (const uint32_t id : empty) take(ports::RemoveNexthop{id});
  }
  void take(const ports::RemoveLink& change) {
    std::erase_if(state_.links, [&](const auto& one) { return one.index == change.index; });
  }

  ports::NetworkState state_;
};

}  // namespace sluice::tunnel::converge
