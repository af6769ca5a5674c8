// On a kernel without WireGuard: that it says so. What it does on one that has it is tested in the
// guest of tests/image/wireguard.
#include "drivers/netlink/kernel_wireguard.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/unit/netlink/own_net.h"
#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;

TEST_CASE("kernel WireGuard: asking whether it is there makes nothing") {
  if (!enter_own_net()) return;
  const std::string before = run("ip -o link");
  const bool there = kernel_has_wireguard();
  MESSAGE("this kernel ", std::string(there ? "has" : "has no"), " WireGuard");
  CHECK(run("ip -o link") == before);
  CHECK((std::system("ip link add dev slw0 type wireguard 2> /dev/null") == 0) == there);
}

TEST_CASE("kernel WireGuard: a kernel without it answers unsupported, in a later turn") {
  if (!enter_own_net()) return;
  if (kernel_has_wireguard()) {
    MESSAGE("skipped: this kernel has WireGuard");
    return;
  }
  World world;
  KernelWireGuard wireguard(world.timers);
  CHECK(wireguard.backend() == "kernel");
  std::vector<Error> errors;
  const auto note = [&](const auto& result) {
    REQUIRE_FALSE(result);
    errors.push_back(result.error());
  };
  wireguard.open("slw0", note);
  WgChange change;
  change.interface = "slw0";
  wireguard.change(change, note);
  wireguard.read("slw0", note);
  bool removed = false;
  wireguard.remove("slw0", [&](Result<void> done) { removed = done.has_value(); });
  CHECK(errors.empty());
  CHECK_FALSE(removed);
  world.settle();
  REQUIRE(errors.size() == 3);
  for (const Error& error : errors) CHECK(error.kind == ErrorKind::unsupported);
  CHECK(removed);  // what is not there is removed
}

TEST_CASE("kernel WireGuard: a name that another kind of interface has is refused, and it stays") {
  if (!enter_own_net()) return;
  run("ip link add dev slw0 type bridge");
  World world;
  KernelWireGuard wireguard(world.timers);
  std::vector<Error> errors;
  const auto note = [&](const Result<void>& result) {
    REQUIRE_FALSE(result);
    errors.push_back(result.error());
  };
  wireguard.open("slw0", note);
  wireguard.remove("slw0", note);
  wireguard.open("a name that is too long", note);
  world.settle();
  REQUIRE(errors.size() == 3);
  for (const Error& error : errors) CHECK(error.kind == ErrorKind::refused);
  CHECK(errors[0].text.find("bridge") != std::string::npos);
  CHECK(run("ip -o link show dev slw0").find("slw0") != std::string::npos);
}

TEST_CASE("kernel WireGuard: destroying it silences its answers") {
  if (!enter_own_net()) return;
  World world;
  bool called = false;
  {
    KernelWireGuard wireguard(world.timers);
    wireguard.remove("slw0", [&](const Result<void>&) { called = true; });
  }
  world.settle();
  CHECK_FALSE(called);
}
