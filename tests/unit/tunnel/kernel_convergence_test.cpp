// The wanted state and the difference against the real kernel, in a network namespace of its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "drivers/netlink/kernel_links.h"
#include "drivers/uv/loop.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

// This thread is in a new namespace as long as this lives; then back in the old one.
class OwnNet {
 public:
  OwnNet() : old_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    const bool tools = std::system("ip -V >/dev/null 2>&1 && ping -V >/dev/null 2>&1") == 0;
    if (!tools) MESSAGE("skipped: ip and ping are not installed");
    if (!tools) return;
    entered_ = old_ >= 0 && unshare(CLONE_NEWNET) == 0;
    if (!entered_) MESSAGE("skipped: a network namespace of its own needs root");
  }
  ~OwnNet() {
    if (entered_) CHECK(setns(old_, CLONE_NEWNET) == 0);
    if (old_ >= 0) close(old_);
  }
  bool entered() const { return entered_; }

 private:
  int old_;
  bool entered_ = false;
};

// What it prints, errors too, and its exit code when it is not 0.
std::string run(const std::string& command) {
  FILE* pipe = popen(fmt::format("{{ {}; }} 2>&1", command).c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> part{};
  while (const size_t size = fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), size);
  const int code = pclose(pipe);
  return out + (code == 0 ? "" : fmt::format("exit {}", code / 256));
}

void must(const std::string& command) {
  CAPTURE(command);
  CHECK(run(command).empty());
}

void make_machine() {
  must("ip link set lo up");
  for (const int i : {0, 1}) {
    must(fmt::format("ip link add wan{0} type veth peer name wanp{0}", i));
    must(fmt::format("ip link set wanp{0} up; ip link set wan{0} up", i));
    must(fmt::format("ip addr add 203.0.11{0}.5/24 dev wan{0}", i));
    must(fmt::format("ip -6 addr add 2001:db8:{0}::5/64 dev wan{0} nodad", i));
    must(fmt::format("ip route add default via 203.0.11{0}.1 dev wan{0} metric {0}00", i));
    must(fmt::format("ip -6 route add default via 2001:db8:{0}::1 dev wan{0} metric 10{0}", i));
    // A veth has a carrier without somebody that reads.
    must(fmt::format("ip link add slw{0} type veth peer name far{0}; ip link set far{0} up", i));
  }
  must("ip rule add pref 5200 fwmark 0x40000/0xff0000 lookup 99");
  must("ip route add 172.30.0.0/16 dev wan0 table 51100");
}

struct Machine {
  drivers::UvLoop loop;
  drivers::KernelLinks links{loop};
  Membership membership = member();

  ports::NetworkState read() {
    auto state = links.read();
    REQUIRE(state);
    return *state;
  }
  Wanted want(ChosenPaths chosen) {
    const ports::NetworkState network = read();
    const auto uplinks = uplinks_seen(network, {});
    CHECK(uplinks.size() == 2);
    WantedInput input{&membership, &uplinks, &network, {}, chosen};
    input.routes_mtu = 1380;
    for (const int number : {0, 1}) {
      PathWish wish;
      wish.number = number;
      wish.mtu = 1420;
      input.paths.push_back(wish);
    }
    return wanted_state(input);
  }
  void converge_to(const Wanted& wanted) {
    for (const auto& change : difference(wanted, read())) {
      CAPTURE(ports::text(change));
      const auto applied = links.apply(change);
      if (!applied) CAPTURE(applied.error().text);
      CHECK(applied.has_value());
    }
    for (const auto& change : difference(wanted, read())) FAIL_CHECK(ports::text(change));
  }
  std::string way(const std::string& to, uint32_t mark = 0) {
    return run(fmt::format("ip route get {} mark {}", to, mark));
  }
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("kernel convergence: the real kernel comes to the wanted state and stays there") {
  const OwnNet net;
  if (!net.entered()) return;
  make_machine();
  Machine machine;
  machine.converge_to(machine.want({0, 1}));
  CHECK(has(machine.way("10.88.0.9"), "dev slw0 table 51100 src 10.88.0.2"));
  CHECK(has(machine.way("10.89.0.9", mark_of(TrafficClass::bulk)), "dev slw1 table 51101"));
  CHECK(has(machine.way("192.0.2.1"), "dev wan0"));
  CHECK(has(machine.way("192.0.2.1", uplink_mark(1)), "via 203.0.111.1 dev wan1 table 51111"));
  CHECK(has(machine.way("2001:db8:9::1", uplink_mark(1)), "via 2001:db8:1::1 dev wan1"));
  CHECK(has(run("ip route show table 51100"), "mtu 1380"));

  // A switch, and then no path at all: unreachable, not elsewhere.
  const auto change = switch_change(TrafficClass::interactive, 1, machine.read());
  REQUIRE(change);
  CHECK(machine.links.apply(*change));
  CHECK(has(machine.way("10.88.0.9"), "dev slw1"));
  machine.converge_to(machine.want({}));
  CHECK_FALSE(has(machine.way("10.88.0.9"), "dev"));

  // Both interfaces vanish with everything by them: nothing of the network goes by an uplink.
  machine.converge_to(machine.want({0, 0}));
  must("ip link del slw0; ip link del slw1");
  CHECK_FALSE(has(machine.way("10.88.0.9"), "dev"));
  CHECK_FALSE(has(machine.way("10.88.0.9", mark_of(TrafficClass::bulk)), "dev"));
  machine.converge_to(machine.want({0, 0}));

  machine.converge_to(Wanted());
  CHECK(run("ip route show table all proto 199; ip -6 route show table all proto 199").empty());
  CHECK(run("ip nexthop show").empty());
  CHECK(has(run("ip rule show"), "5200:"));
  CHECK_FALSE(has(run("ip rule show; ip -6 rule show"), "511"));
  CHECK(has(run("ip route show table 51100"), "172.30.0.0/16"));
}

TEST_CASE("kernel convergence: a renumbered uplink's table follows, the other stays as it is") {
  const OwnNet net;
  if (!net.entered()) return;
  make_machine();
  Machine machine;
  machine.converge_to(machine.want({0, 0}));
  must("ip addr add 203.0.115.7/24 dev wan1; ip addr del 203.0.111.5/24 dev wan1");
  must("ip route replace default via 203.0.115.1 dev wan1 metric 100");
  const auto wanted = machine.want({0, 0});
  for (const auto& change : difference(wanted, machine.read())) {
    CAPTURE(ports::text(change));
    const auto* put = std::get_if<ports::PutRoute>(&change);
    const auto* removed = std::get_if<ports::RemoveRoute>(&change);
    REQUIRE((put != nullptr || removed != nullptr));
    CHECK((put != nullptr ? put->route.table : removed->route.table) == uplink_table(1));
  }
  machine.converge_to(wanted);
  CHECK(has(machine.way("192.0.2.1", uplink_mark(1)), "via 203.0.115.1 dev wan1"));
  // Without any default the marked packets are stuck, not sent by the other uplink.
  must("ip route del default dev wan1");
  machine.converge_to(machine.want({0, 0}));
  CHECK_FALSE(has(machine.way("192.0.2.1", uplink_mark(1)), "dev"));
}

TEST_CASE("kernel convergence: answers to probes pass the reverse path filter before any choice") {
  const OwnNet net;
  if (!net.entered()) return;
  make_machine();
  Machine machine;
  must("sysctl -qw net.ipv4.conf.all.rp_filter=0");
  must("sysctl -qw net.ipv4.conf.slw0.rp_filter=2 net.ipv4.conf.slw1.rp_filter=2");
  // The PoP is the other end of slw1, in a namespace of its own.
  must(
      "unshare --net sleep 20 >/dev/null 2>&1 & far=$!; "
      "while [ \"$(readlink /proc/$far/ns/net)\" = \"$(readlink /proc/$$/ns/net)\" ]; "
      "do sleep 0.02; done; ip link set far1 netns $far; "
      "nsenter --net=/proc/$far/ns/net sh -c 'ip link set lo up; ip link set far1 up; "
      "ip addr add 10.88.0.1/24 dev far1'; echo $far >converge_far.pid");
  machine.converge_to(machine.want({}));
  const auto mac = run("ip -br link show slw1 | awk '{printf \"%s\", $3}'");
  must(
      "ip neigh replace 10.88.0.1 dev slw1 lladdr $(nsenter --net=/proc/$(cat "
      "converge_far.pid)/ns/net ip -br link show far1 | awk '{print $3}')");
  must(
      "nsenter --net=/proc/$(cat converge_far.pid)/ns/net ip neigh replace 10.88.0.2 dev far1 "
      "lladdr " +
      mac);
  const std::string ping = "ping -c 1 -W 1 -I slw1 10.88.0.1 >/dev/null && printf answered";
  CHECK(run(ping) == "answered");
  machine.converge_to(machine.want({0, 0}));  // standby behind another
  CHECK(run(ping) == "answered");
  // The control: without the routes of the probe addresses the filter drops the answer.
  machine.converge_to(machine.want({}));
  must("ip route del 10.88.0.1 table 51100 metric 2000");
  CHECK(run(ping) == "exit 1");
  must("kill $(cat converge_far.pid); rm converge_far.pid");
}
