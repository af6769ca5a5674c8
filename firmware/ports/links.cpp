#include "firmware/ports/links.h"

#include <fmt/format.h>

namespace sluice::ports {

namespace {

// ip(8) prints a link that it has no name of like this.
std::string link_text(int index) { return fmt::format("if{}", index); }

const char* family_text(IpAddress::Family family) {
  return family == IpAddress::Family::v4 ? "-4" : "-6";
}

std::string route_text(const RouteState& route) {
  std::string out;
  if (route.kind == RouteKind::unreachable) out += "unreachable ";
  if (route.kind == RouteKind::blackhole) out += "blackhole ";
  out += route.to.length == 0 ? "default" : route.to.text();
  if (route.nexthop != 0) out += fmt::format(" nhid {}", route.nexthop);
  if (route.gateway) out += " via " + route.gateway->text();
  if (route.link != 0) out += " dev " + link_text(route.link);
  out += fmt::format(" table {}", route.table);
  if (route.source) out += " src " + route.source->text();
  if (route.metric != 0) out += fmt::format(" metric {}", route.metric);
  if (route.mtu != 0) out += fmt::format(" mtu {}", route.mtu);
  return out;
}

std::string rule_text(const RuleState& rule) {
  std::string out = fmt::format("priority {}", rule.priority);
  if (rule.to) out += " to " + rule.to->text();
  if (rule.mark != 0 || rule.mask != 0)
    out += fmt::format(" fwmark {:#x}/{:#x}", rule.mark, rule.mask);
  return out + fmt::format(" lookup {}", rule.table);
}

std::string nexthop_text(const NexthopState& nexthop) {
  if (nexthop.group.empty()) {
    return fmt::format("id {} dev {}", nexthop.id, link_text(nexthop.link));
  }
  return fmt::format("id {} group {}", nexthop.id, fmt::join(nexthop.group, "/"));
}

struct AsText {
  std::string operator()(const SetLink& change) const {
    std::string out = "ip link set " + link_text(change.index) + (change.up ? " up" : " down");
    return change.mtu == 0 ? out : out + fmt::format(" mtu {}", change.mtu);
  }
  std::string operator()(const AddAddress& change) const {
    return "ip addr add " + change.address.text() + " dev " + link_text(change.link);
  }
  std::string operator()(const RemoveAddress& change) const {
    return "ip addr del " + change.address.text() + " dev " + link_text(change.link);
  }
  std::string operator()(const PutRoute& change) const {
    return fmt::format("ip {} route replace {}", family_text(change.route.family),
                       route_text(change.route));
  }
  std::string operator()(const RemoveRoute& change) const {
    return fmt::format("ip {} route del {}", family_text(change.route.family),
                       route_text(change.route));
  }
  std::string operator()(const AddRule& change) const {
    return fmt::format("ip {} rule add {}", family_text(change.rule.family),
                       rule_text(change.rule));
  }
  std::string operator()(const RemoveRule& change) const {
    return fmt::format("ip {} rule del {}", family_text(change.rule.family),
                       rule_text(change.rule));
  }
  std::string operator()(const PutNexthop& change) const {
    return "ip nexthop replace " + nexthop_text(change.nexthop);
  }
  std::string operator()(const RemoveNexthop& change) const {
    return fmt::format("ip nexthop del id {}", change.id);
  }
  std::string operator()(const RemoveLink& change) const {
    return "ip link del " + link_text(change.index);
  }
};

}  // namespace

std::string text(const NetworkChange& change) { return std::visit(AsText(), change); }

}  // namespace sluice::ports
