// The probe datagram between box and PoP (README.md gives its fields), as a value. Pure.
// Integrity: BLAKE2b-128 keyed with the box's probe key over all before it; what is not authentic
// has no meaning and is dropped in silence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/tunnel/names.h"

namespace sluice::tunnel {

enum class ProbeKind : uint8_t {
  echo = 1,
  echo_answer = 2,
  where = 3,
  where_answer = 4,
  hello = 5,  // of the TCP/443 shim
  hello_answer = 6,
};
bool is_answer(ProbeKind kind);

inline constexpr size_t kProbeBytesMin = 108;
inline constexpr size_t kProbeBytesMax = 65507;
inline constexpr size_t kProbeKeyBytes = 32;

struct ProbePacket {
  ProbeKind kind = ProbeKind::echo;
  TrafficClass traffic = TrafficClass::interactive;
  uint16_t lane = 0;
  uint64_t box = 0;
  uint64_t instance = 0;
  uint64_t sequence = 0;
  uint64_t start = 0;
  Instant sent;
  // Of echo questions: which classes use the path now, so that the PoP answers by it.
  bool carries_interactive = false;
  bool carries_bulk = false;
  // Of answers.
  Date date;
  uint32_t seen = 0;
  bool identity_elsewhere = false;        // another instance uses this identity now
  bool pop_stopping = false;              // the PoP is about to stop
  std::optional<IpEndpoint> seen_source;  // of the question, as the PoP saw it
  bool operator==(const ProbePacket&) const = default;
};

// `size` bytes in all, padded with zeros; kProbeBytesMin..kProbeBytesMax. The key is
// kProbeKeyBytes long.
std::string encode_probe(const ProbePacket& packet, size_t size, std::string_view key);

// Errors: broken (not a probe, not authentic, a field out of its range). Nothing of it may be
// believed then. The comparison takes equal time wherever the difference is.
Result<ProbePacket> decode_probe(std::string_view bytes, std::string_view key);

// Whose key it asks for: before it was authenticated, so only to find the key. Nothing: no probe.
std::optional<uint64_t> probe_box(std::string_view bytes);

}  // namespace sluice::tunnel
