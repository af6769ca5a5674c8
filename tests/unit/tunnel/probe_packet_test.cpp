#include "firmware/tunnel/probe_packet.h"

#include <doctest/doctest.h>

#include <string>

#include "firmware/ports/crypto.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

const std::string kKey(kProbeKeyBytes, '\x5a');

ProbePacket answer() {
  ProbePacket packet;
  packet.kind = ProbeKind::echo_answer;
  packet.traffic = TrafficClass::bulk;
  packet.lane = 51821;
  packet.box = 0x0123456789abcdef;
  packet.instance = 0xfedcba9876543210;
  packet.sequence = 77;
  packet.start = 0x1122334455667788;
  packet.sent = Instant::from_us(123'456'789);
  packet.date = Date::from_us(1'790'000'000'000'000);
  packet.seen = 0xdeadbeef;
  packet.pop_stopping = true;
  packet.seen_source = IpEndpoint::parse("192.0.2.7:51820");
  return packet;
}

// As whoever has the key can make it.
std::string sealed(std::string bytes) {
  bytes.resize(bytes.size() - 16);
  return bytes + ports::keyed_hash(kKey, bytes);
}

}  // namespace

TEST_CASE("probe: what is encoded is decoded, of every kind and size") {
  for (int kind = 1; kind <= 6; ++kind) {
    for (const size_t size : {kProbeBytesMin, size_t{1392}, kProbeBytesMax}) {
      ProbePacket packet = answer();
      packet.kind = static_cast<ProbeKind>(kind);
      if (!is_answer(packet.kind)) {
        packet.date = {};
        packet.seen = 0;
        packet.pop_stopping = false;
        packet.seen_source.reset();
        packet.carries_interactive = kind == 1;
        packet.carries_bulk = kind == 1;
      }
      const std::string bytes = encode_probe(packet, size, kKey);
      CHECK(bytes.size() == size);
      const auto decoded = decode_probe(bytes, kKey);
      REQUIRE(decoded);
      CHECK(*decoded == packet);
    }
  }
}

TEST_CASE("probe: the bytes stand where the protocol has them") {
  const std::string bytes = encode_probe(answer(), kProbeBytesMin, kKey);
  CHECK(bytes.substr(0, 4) == "SLP1");
  CHECK(bytes.substr(4, 4) == std::string("\x02\x01\xca\x6d", 4));
  CHECK(bytes.substr(8, 8) == "\x01\x23\x45\x67\x89\xab\xcd\xef");
  CHECK(bytes.substr(24, 8) == std::string("\0\0\0\0\0\0\0\x4d", 8));
  CHECK(bytes.substr(40, 8) == std::string("\0\0\0\0\x07\x5b\xcd\x15", 8));
  CHECK(bytes.substr(56, 4) == "\xde\xad\xbe\xef");
  CHECK(bytes.substr(60, 4) == std::string("\x02\x04\xca\x6c", 4));
  CHECK(bytes.substr(64, 4) == std::string("\xc0\x00\x02\x07", 4));
  CHECK(bytes.substr(68, 24) == std::string(24, '\0'));
  CHECK(bytes.substr(92) == ports::keyed_hash(kKey, bytes.substr(0, 92)));
  CHECK(probe_box(bytes) == 0x0123456789abcdefULL);
}

TEST_CASE("probe: an answer tells an IPv6 source and another instance") {
  ProbePacket packet = answer();
  packet.seen_source = IpEndpoint::parse("[2001:db8::7]:443");
  packet.identity_elsewhere = true;
  packet.pop_stopping = false;
  const auto decoded = decode_probe(encode_probe(packet, 200, kKey), kKey);
  REQUIRE(decoded);
  CHECK(*decoded == packet);
}

TEST_CASE("probe: one changed bit anywhere, another key or a cut makes it nothing") {
  const std::string bytes = encode_probe(answer(), 140, kKey);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(decode_probe(changed, kKey));
  }
  CHECK_FALSE(decode_probe(bytes, std::string(kProbeKeyBytes, 'x')));
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_probe(bytes.substr(0, size), kKey));
  }
  CHECK_FALSE(decode_probe(bytes + "x", kKey));
  CHECK_FALSE(probe_box("SLP1"));
}

TEST_CASE("probe: authentic, but of a kind, class or family that is not known, is nothing") {
  const std::string bytes = encode_probe(answer(), kProbeBytesMin, kKey);
  REQUIRE(decode_probe(sealed(bytes), kKey));
  for (const auto& [at, value] : {std::pair<size_t, char>{4, 0}, {4, 7}, {5, 2}, {61, 5}}) {
    std::string changed = bytes;
    changed[at] = value;
    const auto decoded = decode_probe(sealed(changed), kKey);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().kind == ErrorKind::broken);
  }
}

TEST_CASE("probe: padding and flags of later versions do no harm") {
  std::string bytes = encode_probe(answer(), 300, kKey);
  bytes[60] = '\x06';
  bytes[85] = 'x';
  bytes[150] = 'x';
  const auto decoded = decode_probe(sealed(bytes), kKey);
  REQUIRE(decoded);
  CHECK(*decoded == answer());
}
