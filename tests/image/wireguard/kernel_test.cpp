// What only the kernel's own implementation can show: its module, and dumps that are interrupted.
#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "drivers/netlink/kernel_wireguard.h"
#include "drivers/netlink/netlink_socket.h"
#include "drivers/netlink/wireguard_replies.h"
#include "drivers/netlink/wireguard_requests.h"
#include "tests/image/wireguard/lab.h"

using namespace sluice;
using namespace sluice::drivers;
using namespace sluice::ports;
using namespace sluice::image;

namespace {

constexpr int kPeers = 2000;

// Every message takes the first peer of the list away and puts another at its end: at any moment
// there are kPeers, but a dump that saw the first may see the new one too.
void swap_for_ever(NetlinkSocket& socket, uint16_t family, useconds_t pause_us) {
  for (int i = 0;; ++i) {
    WgChange change;
    change.interface = "slw0";
    WgPeerChange& gone = change.peers.emplace_back();
    gone.public_key = numbered_key(i);
    gone.remove = true;
    change.peers.emplace_back().public_key = numbered_key(kPeers + i);
    auto requests = set_requests(family, change);
    if (!requests || requests->size() != 1) return;
    if (socket.ask(requests->front()).code != 0) return;
    if (pause_us != 0) usleep(pause_us);
  }
}

// Another program that changes the interface all the time.
class Swapper {
 public:
  Swapper(uint16_t family, useconds_t pause_us) : child_(fork()) {
    REQUIRE(child_ >= 0);
    if (child_ != 0) return;
    NetlinkSocket socket(NETLINK_GENERIC);
    swap_for_ever(socket, family, pause_us);
    _exit(1);
  }
  // It ran until now.
  void stop() {
    REQUIRE(kill(child_, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child_, &status, 0) == child_);
    CHECK(WIFSIGNALED(status));
  }

 private:
  const pid_t child_;
};

void fill(Lab& lab) {
  REQUIRE(lab.open("slw0"));
  WgChange wanted;
  wanted.interface = "slw0";
  for (int i = 0; i < kPeers; ++i) wanted.peers.emplace_back().public_key = numbered_key(i);
  REQUIRE(lab.change(wanted));
}

uint16_t family_of_wireguard(NetlinkSocket& socket) {
  uint16_t family = 0;
  NetlinkMessage request = family_request("wireguard");
  const Answer answer =
      socket.ask(request, [&](const Reply& reply) { family = read_family(reply.body); });
  REQUIRE(answer.code == 0);
  REQUIRE(family != 0);
  return family;
}

}  // namespace

TEST_CASE("kernel: asking whether it has WireGuard loads the module and makes no interface") {
  Lab lab;
  const std::string before = run("ip -o link");
  CHECK(kernel_has_wireguard());
  CHECK(run("ip -o link") == before);
}

TEST_CASE("kernel: a dump that was interrupted is torn, and read() never returns one") {
  Lab lab;
  fill(lab);
  NetlinkSocket socket(NETLINK_GENERIC);
  const uint16_t family = family_of_wireguard(socket);
  Swapper swapper(family, 30000);
  int interrupted = 0;
  int torn = 0;
  int whole = 0;
  for (int i = 0; i < 40; ++i) {
    WgState plain;
    NetlinkMessage request = get_request(family, "slw0");
    const Answer answer =
        socket.ask(request, [&](const Reply& reply) { add_to(plain, reply.body); });
    REQUIRE(answer.code == 0);
    if (answer.interrupted) ++interrupted;
    if (plain.peers.size() != kPeers) {
      ++torn;
      CHECK(answer.interrupted);
    }
    const auto state = lab.read("slw0");
    if (!state) {
      CHECK(state.error().kind == ErrorKind::busy);
      continue;
    }
    CHECK(state->peers.size() == kPeers);
    ++whole;
  }
  swapper.stop();
  MESSAGE("of 40 plain dumps ", interrupted, " were interrupted and ", torn,
          " torn; of 40 by read() ", whole, " were whole, the others busy");
  CHECK(torn > 0);
  CHECK(whole > 0);
}

TEST_CASE("kernel: an interface that changes faster than it can be read is busy, not guessed at") {
  Lab lab;
  fill(lab);
  NetlinkSocket socket(NETLINK_GENERIC);
  Swapper swapper(family_of_wireguard(socket), 0);
  int busy = 0;
  for (int i = 0; i < 5; ++i) {
    const auto state = lab.read("slw0");
    if (state) {
      CHECK(state->peers.size() == kPeers);
    } else {
      CHECK(state.error().kind == ErrorKind::busy);
      ++busy;
    }
  }
  swapper.stop();
  CHECK(busy > 0);
  REQUIRE(lab.read("slw0"));
}
