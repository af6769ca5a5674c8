#include "drivers/uapi/uapi_text.h"

#include <doctest/doctest.h>

#include "drivers/uapi/plane_record.h"
#include "firmware/ports/crypto.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

ports::WgKey key_of(uint8_t byte) {
  ports::WgKey key{};
  key.fill(byte);
  return key;
}

std::string hex(const char* two) {
  std::string out;
  for (int i = 0; i < 32; ++i) out += two;
  return out;
}

ErrorKind kind_of(std::string_view answer) {
  const auto state = parse_uapi_state("slw0", answer);
  REQUIRE_FALSE(state);
  return state.error().kind;
}

}  // namespace

TEST_CASE("uapi: a change is written line by line, secrets before what may fail") {
  ports::WgChange change;
  change.interface = "slw0";
  change.private_key = ports::WgSecret(key_of(0x01));
  change.listen_port = 0;
  change.mark = 0x10000000;
  ports::WgPeerChange& first = change.peers.emplace_back();
  first.public_key = key_of(0xab);
  first.update_only = true;
  first.preshared = ports::WgSecret(key_of(0x02));
  first.endpoint = *IpEndpoint::parse("[2001:db8::1]:51820");
  first.keepalive = Duration::seconds(25);
  first.replace_allowed = true;
  first.allowed = {*IpPrefix::parse("10.1.2.3/8"), *IpPrefix::parse("::/0")};
  ports::WgPeerChange& second = change.peers.emplace_back();
  second.public_key = key_of(0xcd);
  second.remove = true;
  second.keepalive = Duration::seconds(25);  // of no use
  const auto text = uapi_set_text(change);
  REQUIRE(text);
  CHECK(text->reveal() ==
        "set=1\nprivate_key=" + hex("01") + "\nlisten_port=0\nfwmark=268435456\npublic_key=" +
            hex("ab") + "\nupdate_only=true\npreshared_key=" + hex("02") +
            "\nendpoint=[2001:db8::1]:51820\npersistent_keepalive_interval=25\n"
            "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\npublic_key=" +
            hex("cd") + "\nremove=true\n\n");
  CHECK(uapi_set_text({})->reveal() == "set=1\n\n");
}

TEST_CASE("uapi: a keepalive or a prefix that cannot be said is refused") {
  ports::WgChange change;
  ports::WgPeerChange& peer = change.peers.emplace_back();
  for (const Duration bad : {Duration::ms(1500), Duration::seconds(-1), Duration::seconds(65536)}) {
    peer.keepalive = bad;
    CHECK(uapi_set_text(change).error().kind == ErrorKind::refused);
  }
  peer.keepalive = Duration::seconds(65535);
  CHECK(uapi_set_text(change));
  peer.allowed = {{*IpAddress::parse("10.0.0.0"), 33}};
  CHECK(uapi_set_text(change).error().kind == ErrorKind::refused);
}

TEST_CASE("uapi: an answer becomes a state, without its secrets") {
  const ports::WgKey own = key_of(0x01);
  const std::string answer =
      "private_key=" + hex("01") + "\nlisten_port=51820\nfwmark=16\npublic_key=" + hex("ab") +
      "\npreshared_key=" + hex("00") +
      "\nprotocol_version=1\nendpoint=192.0.2.1:443\nlast_handshake_time_sec=1700000000\n"
      "last_handshake_time_nsec=500000000\ntx_bytes=18446744073709551615\nrx_bytes=7\n"
      "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\npublic_key=" +
      hex("cd") + "\npreshared_key=" + hex("02") +
      "\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\nsome_later_key=x\nerrno=0\n\n";
  REQUIRE(is_whole_uapi_answer(answer));
  const auto state = parse_uapi_state("slw0", answer);
  REQUIRE(state);
  const std::string known =
      ports::x25519_public({reinterpret_cast<const char*>(own.data()), own.size()});
  CHECK(std::string(state->public_key.begin(), state->public_key.end()) == known);
  CHECK(state->interface == "slw0");
  CHECK(state->listen_port == 51820);
  CHECK(state->mark == 16);
  REQUIRE(state->peers.size() == 2);
  const ports::WgPeerState& first = state->peers[0];
  CHECK(first.public_key == key_of(0xab));
  CHECK_FALSE(first.has_preshared);
  CHECK(first.endpoint == IpEndpoint::parse("192.0.2.1:443"));
  CHECK(first.last_handshake == Date::from_us(1700000000500000));
  CHECK(first.sent_bytes == 18446744073709551615U);
  CHECK(first.received_bytes == 7);
  CHECK(first.keepalive == Duration::seconds(25));
  CHECK(first.allowed.size() == 2);
  CHECK(state->peers[1].has_preshared);
  CHECK_FALSE(state->peers[1].last_handshake.has_value());
  CHECK_FALSE(state->peers[1].endpoint.has_value());
  const auto empty = parse_uapi_state("slw0", "errno=0\n\n");
  REQUIRE(empty);
  CHECK(empty->public_key == ports::WgKey{});
}

TEST_CASE("uapi: an errno is refused and named, what is no answer is broken") {
  CHECK(kind_of("errno=-22\n\n") == ErrorKind::refused);
  CHECK(parse_uapi_set_answer("errno=-22\n\n").error().text.find("-22") != std::string::npos);
  CHECK(parse_uapi_set_answer("errno=-98\n\n").error().text.find("port") != std::string::npos);
  CHECK(parse_uapi_set_answer("errno=0\n\n"));
  for (const std::string& answer :
       {std::string(), std::string("\n"), std::string("\n\n"), std::string("errno=0\n"),
        std::string("errno=0"), std::string("errno=\n\n"), std::string("errno=x\n\n"),
        std::string("listen_port=1\n\n"), std::string("errno=0\nlisten_port=1\n\n"),
        std::string("no equals\nerrno=0\n\n"), std::string("listen_port=65536\nerrno=0\n\n"),
        std::string("private_key=12\nerrno=0\n\n"), "public_key=" + hex("AB") + "\nerrno=0\n\n",
        "public_key=" + hex("ab") + "\nendpoint=name:1\nerrno=0\n\n",
        "public_key=" + hex("ab") + "\nallowed_ip=10.0.0.0/33\nerrno=0\n\n",
        "public_key=" + hex("ab") + "\nlast_handshake_time_nsec=1000000000\nerrno=0\n\n",
        "public_key=" + hex("ab") + "\nlast_handshake_time_sec=-1\nerrno=0\n\n"}) {
    CAPTURE(answer);
    CHECK(kind_of(answer) == ErrorKind::broken);
  }
}

TEST_CASE("uapi: text of a secret moves whole, and grows") {
  SecretText text;
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    text.append("0123456789");
    all += "0123456789";
  }
  CHECK(text.reveal() == all);
  SecretText other = std::move(text);
  CHECK(text.size() == 0);
  CHECK(other.reveal() == all);
  const char* bytes = other.reveal().data();
  other.clear();
  CHECK(other.size() == 0);
  CHECK(bytes[0] == 0);  // still its own, and wiped
  CHECK(bytes[all.size() - 1] == 0);
}

TEST_CASE("record: one line is read back, anything else is none") {
  CHECK(parse_plane_record("12 345 4\n") == PlaneRecord{12, 345, 4});
  CHECK(parse_plane_record("0 0 0\n") == PlaneRecord{});
  for (const char* bad :
       {"", "12", "12 345 4", "12 345\n", "12 345 4 6\n", "-1 5 4\n", "x 5 4\n", "12  345 4\n",
        "12 345 x\n", "99999999999999999999 1 4\n", "12 345 4\n\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_plane_record(bad));
  }
}

TEST_CASE("record: a process is told by its name and its start, whatever its name is made of") {
  const auto identity = parse_process_stat(
      "77 (a) b) c) S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3\n");
  REQUIRE(identity);
  CHECK(identity->name == "a) b) c");
  CHECK(identity->start == 987654);
  CHECK_FALSE(parse_process_stat("77 (a) S 1 2 3"));
  CHECK_FALSE(parse_process_stat(""));
  CHECK_FALSE(parse_process_stat(") ("));
  CHECK_FALSE(identity_of(2147483646));
}
