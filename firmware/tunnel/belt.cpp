#include "firmware/tunnel/belt.h"

#include <fmt/format.h>

#include "firmware/ports/json.h"
#include "firmware/tunnel/names.h"

namespace sluice::tunnel {

namespace {

constexpr std::string_view kOutput = "leaks_output";
constexpr std::string_view kForward = "leaks_forward";
constexpr std::string_view kSpoofed = "spoofed_input";

std::string elements(const std::vector<IpPrefix>& prefixes) {
  std::string out;
  for (const IpPrefix& prefix : prefixes) {
    if (prefix.address.family != IpAddress::Family::v4) continue;
    out += (out.empty() ? "" : ", ") + prefix.network().text();
  }
  return out.empty() ? "" : fmt::format("    elements = {{ {} }}\n", out);
}

std::string input_rules(const BeltInput& input) {
  std::string out;
  for (const BeltSite& site : input.site) {
    out += fmt::format("    iif {} ip saddr {} accept\n", site.link, site.net.text());
  }
  out += fmt::format("    ip saddr @prefixes counter name {} drop\n", kSpoofed);
  if (input.address) {
    out += fmt::format("    ip daddr {} counter name {} drop\n", input.address->text(), kSpoofed);
  }
  return out;
}

// What is about to leave by anything but a tunnel.
std::string leak_rules(const BeltInput& input, std::string_view counter) {
  const auto reject = [&counter](const std::string& to) {
    return fmt::format("    ip daddr {} counter name {} reject with icmp type net-unreachable\n",
                       to, counter);
  };
  std::string out;
  for (const IpAddress& node : input.nodes) out += reject(node.text());
  for (const BeltSite& site : input.site) {
    out += fmt::format("    oif {} ip daddr {} accept\n", site.link, site.net.text());
  }
  return out + reject("@prefixes");
}

std::string outer_rules(const std::vector<OuterDscp>& outer) {
  std::string out;
  for (const OuterDscp& one : outer) {
    for (const char* family : {"ip", "ip6"}) {
      out += fmt::format("    meta mark and {:#010x} == {:#010x} {} dscp set {}\n", kMarkMask,
                         one.mark & kMarkMask, family, one.dscp & 63);
    }
  }
  return out;
}

}  // namespace

std::string belt_removal() {
  // Adding what may be there makes the removal succeed in either case.
  return fmt::format("add table inet {0}\ndelete table inet {0}\n", kBeltTable);
}

std::string belt_ruleset(const BeltInput& input) {
  const std::string tunnels = fmt::format("\"{}*\"", kInterfacePrefix);
  std::string out = belt_removal();
  out += fmt::format("table inet {} {{\n", kBeltTable);
  for (const auto name : {kOutput, kForward, kSpoofed})
    out += fmt::format("  counter {} {{ }}\n", name);
  out += "  set prefixes {\n    type ipv4_addr\n    flags interval\n    auto-merge\n" +
         elements(input.prefixes) + "  }\n";
  out += "  chain output {\n    type filter hook output priority filter; policy accept;\n";
  out += outer_rules(input.outer);
  out += fmt::format("    oifname \"lo\" accept\n    oifname {} accept\n{}  }}\n", tunnels,
                     leak_rules(input, kOutput));
  out += fmt::format(
      "  chain forward {{\n    type filter hook forward priority filter; policy accept;\n"
      "    oifname {} accept\n{}  }}\n",
      tunnels, leak_rules(input, kForward));
  out += fmt::format(
      "  chain input {{\n    type filter hook input priority filter; policy accept;\n"
      "    iifname \"lo\" accept\n    iifname {} accept\n{}  }}\n",
      tunnels, input_rules(input));
  return out + "}\n";
}

Result<BeltCounters> read_belt_counters(std::string_view json) {
  const auto tree = ports::parse_json(json);
  const auto* list = tree ? tree->find("nftables") : nullptr;
  const auto* items = list == nullptr ? nullptr : list->as_array();
  if (items == nullptr) return Error{ErrorKind::broken, "tunnel", "nft told no counters"};
  BeltCounters out;
  int found = 0;
  for (const ports::JsonValue& item : *items) {
    const auto* counter = item.find("counter");
    if (counter == nullptr || counter->text("table") != kBeltTable) continue;
    const std::string_view name = counter->text("name");
    const auto packets = static_cast<uint64_t>(counter->integer("packets"));
    if (name == kOutput) out.output_packets = packets;
    if (name == kForward) out.forward_packets = packets;
    if (name == kSpoofed) out.spoofed_packets = packets;
    ++found;
  }
  if (found == 3) return out;
  return Error{ErrorKind::broken, "tunnel", "the belt's counters are not there; set the belt anew"};
}

}  // namespace sluice::tunnel
