#include "drivers/uapi/userspace_wireguard.h"

#include <signal.h>

#include "tests/unit/uapi/tunnel.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

#define SPACES_OR_SKIP(spaces)            \
  OwnSpaces spaces;                       \
  if (!spaces.work()) {                   \
    MESSAGE("skipped: " << spaces.why()); \
    return;                               \
  }

}  // namespace

TEST_CASE("userspace: a tunnel carries packets, and read() and wg tell the same") {
  SPACES_OR_SKIP(spaces)
  Tunnel tunnel(spaces);
  CHECK(Tunnel::pings());
  const auto state = tunnel.world.read(*tunnel.box, "slwt0");
  REQUIRE(state);
  CHECK(state->public_key == public_key(private_key(3)));
  CHECK(state->mark == 0x10000000);
  CHECK(state->listen_port != 0);
  REQUIRE(state->peers.size() == 1);
  const ports::WgPeerState& peer = state->peers[0];
  CHECK(peer.public_key == public_key(private_key(5)));
  CHECK(peer.has_preshared);
  CHECK(peer.endpoint == IpEndpoint::parse("10.213.1.2:51820"));
  CHECK(peer.keepalive == Duration::seconds(25));
  CHECK(peer.last_handshake.has_value());
  CHECK(peer.received_bytes > 0);
  CHECK(peer.allowed.size() == 2);
  const std::string dump = shell("wg show slwt0 dump");
  CHECK(dump.find(ports::wg_key_text(state->public_key) + "\t" +
                  std::to_string(state->listen_port) + "\t0x10000000\n") != std::string::npos);
  const std::string told = ports::wg_key_text(peer.public_key) + "\t" +
                           ports::wg_key_text(private_key(9).reveal()) + "\t10.213.1.2:51820\t";
  CHECK(dump.find(told) != std::string::npos);
  CHECK(dump.find("\t" + std::to_string(peer.last_handshake->as_seconds()) + "\t") !=
        std::string::npos);
}
