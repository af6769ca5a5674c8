// A network namespace of the test's own: this thread moves into a new one, and what was there goes
// away with the last socket in it. Commands run inside.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sluice::drivers {

// False, and it is said, where this is not allowed.
inline bool enter_own_net() {
  if (unshare(CLONE_NEWNET) == 0) return true;
  MESSAGE("skipped: a network namespace of its own needs root");
  return false;
}

// What the command prints; it must succeed.
inline std::string run(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> part;
  while (const size_t size = fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), size);
  const int status = pclose(pipe);
  INFO(command);
  CHECK(status == 0);
  return out;
}

// Two veth pairs a-a2, b-b2, all up, without IPv6's own talk.
inline void make_two_wires() {
  run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1");
  for (const std::string wire : {"a", "b"}) {
    run("ip link add dev " + wire + " type veth peer name " + wire + "2");
    run("ip link set dev " + wire + " up; ip link set dev " + wire + "2 up");
  }
  run("ip link set lo up");
  // The kernel announces a link twice: when it is set up, and a moment later when it can be used.
  run("for wire in a b; do until ip -o link show dev $wire | grep -q 'state UP'; do sleep 0.02; "
      "done; "
      "done");
}

}  // namespace sluice::drivers
