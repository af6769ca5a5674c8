#include "firmware/tunnel/probe_packet.h"

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/ports/crypto.h"

namespace sluice::tunnel {

namespace {

constexpr std::string_view kMagic = "SLP1";
constexpr size_t kHashBytes = 16;
// Offsets of README.md's table.
constexpr size_t kKindAt = 4;
constexpr size_t kClassAt = 5;
constexpr size_t kLaneAt = 6;
constexpr size_t kBoxAt = 8;
constexpr size_t kInstanceAt = 16;
constexpr size_t kSequenceAt = 24;
constexpr size_t kStartAt = 32;
constexpr size_t kSentAt = 40;
constexpr size_t kDateAt = 48;
constexpr size_t kSeenAt = 56;
constexpr size_t kFlagsAt = 60;
constexpr size_t kFamilyAt = 61;
constexpr size_t kPortAt = 62;
constexpr size_t kAddressAt = 64;
constexpr unsigned kElsewhere = 1;
constexpr unsigned kStopping = 2;
constexpr unsigned kCarriesInteractive = 4;
constexpr unsigned kCarriesBulk = 8;
constexpr unsigned kVersion4 = 4;
constexpr unsigned kVersion6 = 6;

void put(std::string& out, size_t at, size_t bytes, uint64_t value) {
  for (size_t i = bytes; i-- > 0; value >>= 8) out[at + i] = static_cast<char>(value & 0xff);
}

uint64_t get(std::string_view in, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(in[at + i]);
  return value;
}

bool looks_like_probe(std::string_view bytes) {
  return bytes.size() >= kProbeBytesMin && bytes.size() <= kProbeBytesMax &&
         bytes.substr(0, kMagic.size()) == kMagic;
}

Error broken(const char* text) { return {ErrorKind::broken, "probe", text}; }

void put_source(std::string& out, const IpEndpoint& source) {
  const bool v4 = source.address.family == IpAddress::Family::v4;
  put(out, kFamilyAt, 1, v4 ? kVersion4 : kVersion6);
  put(out, kPortAt, 2, source.port);
  const auto& bytes = source.address.bytes;
  std::copy(bytes.begin(), bytes.end(), out.begin() + kAddressAt);
}

// False: the family is none.
bool get_source(std::string_view in, std::optional<IpEndpoint>& out) {
  const uint64_t family = get(in, kFamilyAt, 1);
  if (family == 0) return true;
  if (family != kVersion4 && family != kVersion6) return false;
  IpEndpoint source;
  source.address.family = family == kVersion4 ? IpAddress::Family::v4 : IpAddress::Family::v6;
  const size_t length = family == kVersion4 ? 4 : 16;
  for (size_t i = 0; i < length; ++i) {
    source.address.bytes[i] = static_cast<uint8_t>(in[kAddressAt + i]);
  }
  source.port = static_cast<uint16_t>(get(in, kPortAt, 2));
  out = source;
  return true;
}

}  // namespace

bool is_answer(ProbeKind kind) { return static_cast<int>(kind) % 2 == 0; }

std::string encode_probe(const ProbePacket& packet, size_t size, std::string_view key) {
  ENSURE(size >= kProbeBytesMin && size <= kProbeBytesMax && key.size() == kProbeKeyBytes);
  std::string out(size - kHashBytes, '\0');
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  put(out, kKindAt, 1, static_cast<uint64_t>(packet.kind));
  put(out, kClassAt, 1, packet.traffic == TrafficClass::bulk ? 1 : 0);
  put(out, kLaneAt, 2, packet.lane);
  put(out, kBoxAt, 8, packet.box);
  put(out, kInstanceAt, 8, packet.instance);
  put(out, kSequenceAt, 8, packet.sequence);
  put(out, kStartAt, 8, packet.start);
  put(out, kSentAt, 8, static_cast<uint64_t>(packet.sent.as_us()));
  if (packet.kind == ProbeKind::echo) {
    put(out, kFlagsAt, 1,
        (packet.carries_interactive ? kCarriesInteractive : 0) |
            (packet.carries_bulk ? kCarriesBulk : 0));
  }
  if (is_answer(packet.kind)) {
    put(out, kDateAt, 8, static_cast<uint64_t>(packet.date.as_us()));
    put(out, kSeenAt, 4, packet.seen);
    put(out, kFlagsAt, 1,
        (packet.identity_elsewhere ? kElsewhere : 0) | (packet.pop_stopping ? kStopping : 0));
    if (packet.seen_source) put_source(out, *packet.seen_source);
  }
  return out + ports::keyed_hash(key, out);
}

Result<ProbePacket> decode_probe(std::string_view bytes, std::string_view key) {
  ENSURE(key.size() == kProbeKeyBytes);
  if (!looks_like_probe(bytes)) return broken("this is no probe");
  const std::string_view content = bytes.substr(0, bytes.size() - kHashBytes);
  if (!ports::equal_in_constant_time(ports::keyed_hash(key, content),
                                     bytes.substr(content.size()))) {
    return broken("the probe is not authentic");
  }
  const uint64_t kind = get(bytes, kKindAt, 1);
  const uint64_t traffic = get(bytes, kClassAt, 1);
  if (kind < 1 || kind > 6) return broken("a kind of probe that is not known");
  if (traffic >= kClasses) return broken("a traffic class that is not known");
  ProbePacket packet;
  packet.kind = static_cast<ProbeKind>(kind);
  packet.traffic = traffic == 1 ? TrafficClass::bulk : TrafficClass::interactive;
  packet.lane = static_cast<uint16_t>(get(bytes, kLaneAt, 2));
  packet.box = get(bytes, kBoxAt, 8);
  packet.instance = get(bytes, kInstanceAt, 8);
  packet.sequence = get(bytes, kSequenceAt, 8);
  packet.start = get(bytes, kStartAt, 8);
  packet.sent = Instant::from_us(static_cast<int64_t>(get(bytes, kSentAt, 8)));
  const uint64_t flags = get(bytes, kFlagsAt, 1);
  if (packet.kind == ProbeKind::echo) {
    packet.carries_interactive = (flags & kCarriesInteractive) != 0;
    packet.carries_bulk = (flags & kCarriesBulk) != 0;
  }
  if (!is_answer(packet.kind)) return packet;
  packet.date = Date::from_us(static_cast<int64_t>(get(bytes, kDateAt, 8)));
  packet.seen = static_cast<uint32_t>(get(bytes, kSeenAt, 4));
  packet.identity_elsewhere = (flags & kElsewhere) != 0;
  packet.pop_stopping = (flags & kStopping) != 0;
  if (!get_source(bytes, packet.seen_source)) return broken("an address family that is not known");
  return packet;
}

std::optional<uint64_t> probe_box(std::string_view bytes) {
  if (!looks_like_probe(bytes)) return std::nullopt;
  return get(bytes, kBoxAt, 8);
}

}  // namespace sluice::tunnel
