#include "firmware/tunnel/shaping.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::tunnel {

namespace {

constexpr int kPacketBits = 1500 * 8;
constexpr int kLeafLeast = 16;
constexpr int kLeafMost = 1000;
constexpr int kQuantum = 3000;  // bytes that one class sends before it is another's turn

}  // namespace

bool is_shaped(const ShapingInput& input) { return input.rate_bits >= kShapedRateLeast; }

int leaf_packets(int64_t rate_bits) {
  return static_cast<int>(std::clamp<int64_t>(rate_bits / 10 / kPacketBits, kLeafLeast, kLeafMost));
}

std::string shaping_batch(const ShapingInput& input) {
  if (!is_shaped(input)) return {};
  const int64_t rate = std::min(input.rate_bits, kShapedRateMax) * kShapedPercent / 100;
  const int64_t tokens = rate * std::clamp(input.interactive_percent, 1, 90) / 100;
  const int64_t bulk_most = rate * kBulkPercent / 100;
  const int64_t bulk = std::min(rate - tokens, bulk_most);
  const int overhead = input.outer == IpAddress::Family::v4 ? kOuterBytes4 : kOuterBytes6;
  const std::string& dev = input.interface;
  const auto htb_class = [&](const char* parent, const char* id, int64_t least, int64_t most,
                             int priority) {
    return fmt::format(
        "class replace dev {} parent {} classid {} htb rate {}bit ceil {}bit prio {} quantum {} "
        "overhead {}\n",
        dev, parent, id, least, most, priority, kQuantum, overhead);
  };
  // HTB cannot be replaced by itself: another one stands between for a moment.
  std::string out = fmt::format("qdisc replace dev {} root pfifo limit {}\n", dev, kLeafMost);
  out += fmt::format("qdisc replace dev {} root handle 1: htb default 10\n", dev);
  out += htb_class("1:", "1:1", rate, rate, 0);
  out += htb_class("1:1", "1:10", tokens, rate, 0);
  out += htb_class("1:1", "1:20", bulk, bulk_most, 1);
  out += fmt::format("qdisc replace dev {} parent 1:10 handle 10: pfifo limit {}\n", dev,
                     leaf_packets(rate));
  const std::string leaf =
      input.fq_codel ? "fq_codel" : fmt::format("pfifo limit {}", leaf_packets(bulk_most));
  out += fmt::format("qdisc replace dev {} parent 1:20 handle 20: {}\n", dev, leaf);
  // The six bits of DSCP CS1 stand above the two of ECN.
  out += fmt::format(
      "filter add dev {} parent 1: protocol ip prio 1 u32 match ip dsfield 0x20 0xfc flowid 1:20\n",
      dev);
  out += fmt::format(
      "filter add dev {} parent 1: protocol ipv6 prio 2 u32 match ip6 priority 0x20 0xfc "
      "flowid 1:20\n",
      dev);
  return out;
}

std::string shaping_removal(const std::string& interface) {
  // Removing the system's own queue is an error; after this there is one of ours to remove.
  return fmt::format("qdisc replace dev {0} root pfifo limit {1}\nqdisc del dev {0} root\n",
                     interface, kLeafMost);
}

}  // namespace sluice::tunnel
