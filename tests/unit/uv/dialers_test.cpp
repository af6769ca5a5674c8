#include "drivers/uv/dialers.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include "tests/unit/uv/own_namespace.h"
#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

// The sockets of this process that are connected to a port, by their options.
struct Option {
  int level;
  int name;
};
std::vector<int> of_sockets_to(uint16_t port, Option option) {
  std::vector<int> out;
  for (int descriptor = 0; descriptor < 256; ++descriptor) {
    sockaddr_in to = {};
    socklen_t size = sizeof to;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&to), &size) != 0) continue;
    if (to.sin_family != AF_INET || ntohs(to.sin_port) != port) continue;
    int value = -1;
    size = sizeof value;
    if (::getsockopt(descriptor, option.level, option.name, &value, &size) == 0) {
      out.push_back(value);
    }
  }
  return out;
}

struct Dialled {
  Door door;
  Caller caller;
  std::unique_ptr<ports::Listener> listener;
  uint16_t port = 0;
};

// Dials a listener of this machine in this way.
void dial(World& world, const ports::OutboundWay& way, const std::string& host, Dialled& out) {
  auto listener = world.listeners.listen({"127.0.0.1", 0, ""}, out.door);
  REQUIRE(listener);
  out.listener = *std::move(listener);
  out.port = out.listener->address().port;
  UvDialers dialers(world.loop, world.clock, world.timers);
  const auto dialer = dialers.by(way);
  const Callback ended = [&] {
    if (out.caller.error || (out.caller.stream && !out.door.streams.empty())) world.stop();
  };
  out.caller.ended = ended;
  out.door.accepted = ended;
  out.caller.dial = dialer->dial({host, out.port, ""}, Duration::seconds(5), out.caller);
  world.run();
}

}  // namespace

TEST_CASE("dialers: the source is that of the way, and the DSCP is on the socket") {
  World world;
  ports::OutboundWay way;
  way.source = *IpAddress::parse("127.0.0.77");
  way.dscp = 46;
  Dialled dialled;
  dial(world, way, "127.0.0.1", dialled);
  REQUIRE(dialled.caller.stream != nullptr);
  CHECK(dialled.door.streams.front()->peer().host == "127.0.0.77");
  CHECK(of_sockets_to(dialled.port, {IPPROTO_IP, IP_TOS}) == std::vector<int>{46 << 2});
}

TEST_CASE("dialers: of a name only addresses of the source's family are tried") {
  World world;
  ports::OutboundWay way;
  way.source = *IpAddress::parse("127.0.0.1");
  Dialled dialled;
  dial(world, way, "localhost", dialled);  // ::1 first, on most machines
  REQUIRE(dialled.caller.stream != nullptr);
  CHECK(dialled.door.streams.front()->peer().host == "127.0.0.1");
}

TEST_CASE("dialers: a source that is not ours fails and says so") {
  World world;
  ports::OutboundWay way;
  way.source = *IpAddress::parse("192.0.2.77");
  Dialled dialled;
  dial(world, way, "127.0.0.1", dialled);
  REQUIRE(dialled.caller.error.has_value());
  CHECK(dialled.caller.error->kind == ErrorKind::gone);
  CHECK(dialled.caller.error->text.find("192.0.2.77") != std::string::npos);
  way.source = *IpAddress::parse("::1");
  Dialled other;
  dial(world, way, "127.0.0.1", other);
  REQUIRE(other.caller.error.has_value());
  CHECK(other.caller.error->text.find("family") != std::string::npos);
}

TEST_CASE("dialers: mark and interface are on the socket, in a network of our own") {
  const OwnNamespace own("ip link set lo up");
  if (!own.works()) {
    MESSAGE("skipped: no namespace can be made here: " << own.why());
    return;
  }
  World world;
  ports::OutboundWay way;
  way.mark = 0x02000000;
  way.interface = "lo";
  Dialled dialled;
  dial(world, way, "127.0.0.1", dialled);
  REQUIRE(dialled.caller.stream != nullptr);
  CHECK(of_sockets_to(dialled.port, {SOL_SOCKET, SO_MARK}) == std::vector<int>{0x02000000});
  CHECK(of_sockets_to(dialled.port, {SOL_SOCKET, SO_BINDTOIFINDEX}) == std::vector<int>{1});
  way.interface = "sluicenone0";
  Dialled none;
  dial(world, way, "127.0.0.1", none);
  REQUIRE(none.caller.error.has_value());
  CHECK(none.caller.error->text.find("sluicenone0") != std::string::npos);
}
