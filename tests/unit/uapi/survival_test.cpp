// What happens to a tunnel when its program, its daemon, or both end.
#include <signal.h>
#include <sys/socket.h>

#include "drivers/uapi/control_socket.h"
#include "drivers/uapi/data_plane.h"
#include "tests/unit/uapi/tunnel.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

// Packets for the tunnel's network that leave by anything but the tunnel.
void count_leaks() {
  shell(
      "nft 'add table inet leak; add chain inet leak out { type filter hook postrouting "
      "priority 0; }; add rule inet leak out ip daddr 10.88.9.0/24 oifname != \"slwt0\" counter'");
}
bool leaked() { return shell("nft list table inet leak").find("packets 0 ") == std::string::npos; }

// How often it had no carrier: for a moment is enough that the kernel may take its nexthops.
std::string carrier_losses() { return shell("cat /sys/class/net/slwt0/carrier_down_count"); }

void check_intact() {
  CHECK(shell("ip -4 -br addr show slwt0").find("10.88.9.2/32") != std::string::npos);
  CHECK(shell("ip -br link show slwt0").find("LOWER_UP") != std::string::npos);
  CHECK(shell("ip nexthop show id 77").find("dev slwt0") != std::string::npos);
  CHECK(shell("ip route get 10.88.9.1").find("dev slwt0") != std::string::npos);
}

// What took the program over supervises it too, and holds what keeps the routes.
void check_survives(Tunnel& tunnel, pid_t program) {
  tunnel.apply_when_back();
  const std::string losses = carrier_losses();
  REQUIRE(::kill(program, SIGKILL) == 0);
  check_intact();
  tunnel.world.run_until([&] { return tunnel.told.events.size() == 2; });
  check_intact();
  CHECK(carrier_losses() == losses);
  CHECK(tunnel.world.read(*tunnel.box, "slwt0"));
  CHECK(Tunnel::pings());
}

}  // namespace

TEST_CASE("userspace: a killed data plane comes back, and interface, address, routes stay") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  count_leaks();
  REQUIRE(Tunnel::pings());
  tunnel.apply_when_back();
  const std::string losses = carrier_losses();
  const pid_t first = Tunnel::program_of("slwt0");
  REQUIRE(::kill(first, SIGKILL) == 0);
  // Nothing restarts it as long as the loop does not run.
  check_intact();
  CHECK(std::system("ping -c3 -i0.01 -W1 -q 10.88.9.1 >/dev/null") != 0);
  CHECK_FALSE(leaked());
  tunnel.world.run_until([&] { return tunnel.told.events.size() == 2; });
  CHECK(tunnel.told.events == std::vector<std::string>{"lost slwt0", "back slwt0"});
  const Duration gap = tunnel.told.back_at - tunnel.told.lost_at;
  MESSAGE("back " << gap.as_ms() << " ms after it was seen to be lost");
  CHECK(gap < Duration::seconds(3));
  check_intact();
  CHECK(carrier_losses() == losses);
  CHECK(Tunnel::program_of("slwt0") != first);
  const auto state = tunnel.world.read(*tunnel.box, "slwt0");  // behind the change
  REQUIRE(state);
  CHECK(state->peers.size() == 1);
  CHECK(Tunnel::pings());
  CHECK(shell("ip -o link show slwt0").find("mtu 1380") != std::string::npos);
  CHECK_FALSE(leaked());
}

TEST_CASE("userspace: killed while the loop runs, it carries packets again within moments") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  REQUIRE(Tunnel::pings());
  std::optional<Instant> configured;
  tunnel.told.on_back = [&] {
    tunnel.box->change(box_change(), [&](const Result<void>& done) {
      CHECK(done);
      configured = tunnel.world.clock.now();
    });
  };
  tunnel.world.run_until([] { return true; });
  REQUIRE(::kill(Tunnel::program_of("slwt0"), SIGKILL) == 0);
  const Instant killed = tunnel.world.clock.now();
  tunnel.world.run_until([&] { return configured.has_value(); });
  MESSAGE("configured anew " << (*configured - killed).as_ms() << " ms after it was killed");
  CHECK(*configured - killed < Duration::seconds(3));
  CHECK(Tunnel::pings());
}

TEST_CASE("userspace: a new daemon takes over what runs, and no packet is lost") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  REQUIRE(Tunnel::pings());
  const pid_t program = Tunnel::program_of("slwt0");
  shell("(ping -c100 -i0.01 -W2 -q 10.88.9.1 >/run/pings 2>&1; touch /run/pinged) & true");
  for (int i = 0; i < 3; ++i) tunnel.restart_daemon();
  tunnel.world.run_until([] { return ::access("/run/pinged", F_OK) == 0; });
  CHECK(shell("cat /run/pings").find("100 received") != std::string::npos);
  CHECK(Tunnel::program_of("slwt0") == program);
  const auto state = tunnel.world.read(*tunnel.box, "slwt0");
  REQUIRE(state);
  CHECK(state->peers.size() == 1);
  CHECK(tunnel.told.events.empty());
  check_survives(tunnel, program);
}

TEST_CASE("userspace: a daemon takes over a program that has closed its first control descriptor") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  const pid_t program = Tunnel::program_of("slwt0");
  // It does so when it first collects garbage: after enough work.
  const std::string descriptor = "/proc/" + std::to_string(program) + "/fd/4";
  const auto is_there = [&] {
    return shell("readlink " + descriptor + " || true").find("socket") == 0;
  };
  REQUIRE(is_there());
  for (int i = 0; i < 20000 && (i % 100 != 0 || is_there()); ++i) {
    REQUIRE(tunnel.world.read(*tunnel.box, "slwt0"));
  }
  REQUIRE_FALSE(is_there());
  tunnel.restart_daemon();
  CHECK(Tunnel::program_of("slwt0") == program);
  check_survives(tunnel, program);
}

TEST_CASE("userspace: what died while no daemon was there is carried again by the next") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  const pid_t program = Tunnel::program_of("slwt0");
  tunnel.box.reset();
  tunnel.world.end(program);
  CHECK(shell("ip -4 -br addr show slwt0").find("10.88.9.2/32") != std::string::npos);
  tunnel.restart_daemon();
  CHECK(Tunnel::program_of("slwt0") != program);
  CHECK(tunnel.world.change(*tunnel.box, box_change()));
  // Without anybody holding the interface its nexthop was lost; the owner puts it anew.
  shell("ip nexthop replace id 77 dev slwt0; ip route replace 10.88.9.0/24 nhid 77 src 10.88.9.2");
  CHECK(Tunnel::pings());
}

TEST_CASE("userspace: a client that stalls the control socket makes the data plane start anew") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces, Duration::ms(500));
  tunnel.apply_when_back();
  const pid_t program = Tunnel::program_of("slwt0");
  const auto staller = connect_to("/run/wireguard/slwt0.sock");
  REQUIRE(staller);
  REQUIRE(::send(staller->number(), "set=1\n", 6, 0) == 6);
  tunnel.world.run_until([&] {  // until it has begun to listen to the staller only
    const auto probe = connect_to("/run/wireguard/slwt0.sock");
    return probe.has_value();
  });
  Result<ports::WgState> state = Error{};
  for (int i = 0; i < 5 && tunnel.told.events.empty(); ++i) {
    state = tunnel.world.read(*tunnel.box, "slwt0");
  }
  REQUIRE_FALSE(state);
  CHECK(state.error().kind == ErrorKind::busy);
  tunnel.world.run_until([&] { return tunnel.told.events.size() == 2; });
  CHECK(tunnel.world.read(*tunnel.box, "slwt0"));
  CHECK(Tunnel::program_of("slwt0") != program);
  CHECK(Tunnel::pings());
}

TEST_CASE("userspace: a program that does not answer a new daemon is replaced") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces, Duration::ms(500));
  const pid_t program = Tunnel::program_of("slwt0");
  REQUIRE(::kill(program, SIGSTOP) == 0);
  const std::string running =
      "cat /proc/" + std::to_string(program) + "/task/*/status | grep '^State:' | grep -v T || :";
  tunnel.world.run_until([&] { return shell(running).empty(); });
  tunnel.restart_daemon();
  CHECK(Tunnel::program_of("slwt0") != program);
  CHECK(tunnel.told.events.empty());  // it was never lost to this daemon
  check_intact();
  CHECK(tunnel.world.change(*tunnel.box, box_change()));
  CHECK(Tunnel::pings());
}

TEST_CASE("userspace: a socket file that was removed is made again with the program") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  Tunnel tunnel(spaces);
  tunnel.apply_when_back();
  REQUIRE(::unlink("/run/wireguard/slwt0.sock") == 0);  // the program ends by itself then
  tunnel.world.run_until([&] { return tunnel.told.events.size() == 2; });
  CHECK(tunnel.world.read(*tunnel.box, "slwt0"));
  CHECK(shell("wg show slwt0 peers").size() == 45);
  CHECK(Tunnel::pings());
}

TEST_CASE("userspace: restarts are free at first, then ever later, up to a bound") {
  CHECK(restart_delay(1).is_zero());
  CHECK(restart_delay(kQuickEndsFree).is_zero());
  CHECK(restart_delay(kQuickEndsFree + 1) == kRestartDelayMin);
  CHECK(restart_delay(kQuickEndsFree + 2) == kRestartDelayMin * 2);
  CHECK(restart_delay(1000000) == kRestartDelayMax);
}
