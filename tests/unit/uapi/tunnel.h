// A tunnel between "slwt0" here and "slwt1" in the pop, both carried by the real program.
//
//   10.88.9.2 slwt0 ==== UDP 10.213.1.1 -> 10.213.1.2:51820 ==== slwt1 10.88.9.1
#pragma once

#include "firmware/ports/crypto.h"
#include "tests/unit/uapi/two_sites.h"

namespace sluice::drivers {

inline ports::WgSecret private_key(uint8_t seed) {
  ports::WgKey bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(seed + 7 * i);
  bytes[0] &= 248;  // RFC 7748 section 5, as the program stores it
  bytes[31] = static_cast<uint8_t>((bytes[31] & 127) | 64);
  return ports::WgSecret(bytes);
}

inline ports::WgKey public_key(const ports::WgSecret& secret) {
  const ports::WgKey& bytes = secret.reveal();
  const std::string key =
      ports::x25519_public({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ports::WgKey out{};
  std::copy(key.begin(), key.end(), out.begin());
  return out;
}

inline ports::WgChange box_change() {
  ports::WgChange change;
  change.interface = "slwt0";
  change.private_key = private_key(3);
  change.mark = 0x10000000;
  ports::WgPeerChange& peer = change.peers.emplace_back();
  peer.public_key = public_key(private_key(5));
  peer.preshared = private_key(9);
  peer.endpoint = *IpEndpoint::parse("10.213.1.2:51820");
  peer.keepalive = Duration::seconds(25);
  peer.replace_allowed = true;
  peer.allowed = {*IpPrefix::parse("10.88.9.0/24"), *IpPrefix::parse("fd88::/64")};
  return change;
}

inline ports::WgChange pop_change() {
  ports::WgChange change;
  change.interface = "slwt1";
  change.private_key = private_key(5);
  change.listen_port = 51820;
  ports::WgPeerChange& peer = change.peers.emplace_back();
  peer.public_key = public_key(private_key(3));
  peer.preshared = private_key(9);
  peer.allowed = {*IpPrefix::parse("10.88.9.2/32")};
  return change;
}

struct Told final : ports::WgEvents {
  const ports::Clock& clock;
  std::vector<std::string> events;
  Instant lost_at;
  Instant back_at;
  std::function<void()> on_back;
  explicit Told(const ports::Clock& by) : clock(by) {}
  void on_data_plane_lost(const std::string& interface, const Error& why) override {
    events.push_back("lost " + interface);
    CHECK(why.kind == ErrorKind::gone);
    lost_at = clock.now();
  }
  void on_data_plane_back(const std::string& interface) override {
    events.push_back("back " + interface);
    back_at = clock.now();
    if (on_back) on_back();
  }
};

struct Tunnel {
  OwnSpaces& spaces;
  LoopWorld world;
  Told told{world.clock};
  UserspaceSpec spec;
  std::unique_ptr<UserspaceWireGuard> pop;
  std::unique_ptr<UserspaceWireGuard> box;

  explicit Tunnel(OwnSpaces& in, Duration answer_time_max = Duration::seconds(5)) : spaces(in) {
    spec.answer_time_max = answer_time_max;
    pop = make();
    box = make();
    box->watch(&told);
    // Made and started inside the call, and so in the pop.
    REQUIRE(world.wait([&](auto done) { spaces.in_pop([&] { pop->open("slwt1", done); }); }));
    REQUIRE(world.change(*pop, pop_change()));
    shell(
        "ip -n pop addr add 10.88.9.1/24 dev slwt1; ip -n pop link set slwt1 up;"
        "ip -n pop route replace 10.88.9.0/24 dev slwt1");
    REQUIRE(world.open(*box, "slwt0"));
    REQUIRE(world.change(*box, box_change()));
    shell(
        "set -e; ip addr add 10.88.9.2/32 dev slwt0; ip link set slwt0 up mtu 1380;"
        "ip nexthop add id 77 dev slwt0; ip route add 10.88.9.0/24 nhid 77 src 10.88.9.2");
  }
  ~Tunnel() {
    CHECK(world.remove(*box, "slwt0"));
    CHECK(world.remove(*pop, "slwt1"));
  }
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  std::unique_ptr<UserspaceWireGuard> make() {
    return std::make_unique<UserspaceWireGuard>(world.loop, world.clock, world.timers, world.log,
                                                spec);
  }
  // The daemon is started anew: what it ran goes on without it, and is taken over.
  void restart_daemon() {
    box.reset();
    box = make();
    box->watch(&told);
    CHECK(world.open(*box, "slwt0"));
  }
  // As the owner does after on_data_plane_back().
  void apply_when_back() {
    told.on_back = [this] {
      box->change(box_change(), [](const Result<void>& done) { CHECK(done); });
    };
  }
  // A first handshake that was lost on a busy machine is repeated after five seconds.
  static bool pings() { return std::system("ping -c1 -w10 -q 10.88.9.1 >/dev/null") == 0; }
  static pid_t program_of(const std::string& interface) {
    return std::stoi(shell("cut -d' ' -f1 /run/wireguard/" + interface + ".pid"));
  }
};

}  // namespace sluice::drivers
