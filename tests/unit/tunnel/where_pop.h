// The PoP's side of `where` questions and hellos, for tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/tunnel/probe_packet.h"
#include "tests/unit/tunnel/net_world.h"

namespace sluice::tunnel_test {

inline const std::string kBoxKey(tunnel::kProbeKeyBytes, 'k');
inline constexpr uint64_t kBoxId = 7;
inline constexpr uint64_t kBoxInstance = 9;

// The answer to a question, as long as it is. Nothing: it is none, or not authentic.
inline std::optional<std::string> where_answer(std::string_view question, const IpEndpoint& seen,
                                               Date date, bool cloned = false) {
  const Result<tunnel::ProbePacket> asked = tunnel::decode_probe(question, kBoxKey);
  if (!asked || asked->kind != tunnel::ProbeKind::where) return std::nullopt;
  tunnel::ProbePacket answer = *asked;
  answer.kind = tunnel::ProbeKind::where_answer;
  answer.date = date;
  answer.seen = 1;
  answer.seen_source = seen;
  answer.identity_elsewhere = cloned;
  return tunnel::encode_probe(answer, question.size(), kBoxKey);
}

// A wire between the box's sockets and PoPs. What is false or zero does not come through.
struct WherePop {
  explicit WherePop(NetWorld& in) : world(in) {
    world.datagrams.network = [this](const FakeDatagrams::Sent& sent) { return carry(sent); };
  }

  NetWorld& world;
  Duration round_trip = Duration::ms(30);
  bool v4 = true;
  bool v6 = true;
  int mtu = 1500;  // outer; larger packets vanish
  int lost = 0;    // so many of the next datagrams vanish
  bool cloned = false;
  Duration ahead;                      // the PoP's date before the box's
  std::optional<IpAddress> nat;        // v4 source as seen; nothing: the box's own
  bool hard_nat = false;               // another port for each destination port
  IpAddress own4 = ip("192.168.1.9");  // the box's
  IpAddress own6 = ip("2001:db8:1::9");
  std::vector<std::string> hops;  // who answers at hop 1, 2, ...

  Result<void> carry(const FakeDatagrams::Sent& sent) {
    const bool is4 = sent.to.address.family == IpAddress::Family::v4;
    const int size = static_cast<int>(sent.bytes.size()) + (is4 ? 28 : 48);
    if (size > 1500 && sent.spec.never_fragment) {
      return Error{ErrorKind::refused, "udp", "larger than the link carries"};
    }
    const size_t hop = static_cast<size_t>(sent.spec.hops_max);
    if (hop > 0) {
      if (hop <= hops.size() && !hops[hop - 1].empty()) {
        world.datagrams.undelivered(sent.socket, sent.to, ip(hops[hop - 1]), true, round_trip / 3);
      }
      return {};
    }
    if (!(is4 ? v4 : v6) || size > mtu || lost-- > 0) return {};
    IpEndpoint seen{is4 ? nat.value_or(own4) : own6, sent.from.port};
    if (is4 && nat && hard_nat) seen.port = static_cast<uint16_t>(seen.port + sent.to.port);
    const Date date = world.calendar.now() + ahead + round_trip / 2;
    const auto answer = where_answer(sent.bytes, seen, date, cloned);
    if (answer) world.datagrams.deliver(sent.socket, sent.to, *answer, round_trip);
    return {};
  }
};

}  // namespace sluice::tunnel_test
