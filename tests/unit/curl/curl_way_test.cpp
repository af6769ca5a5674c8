#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include "tests/unit/curl/curl_world.h"

using namespace sluice;
using drivers::CurlClient;
using tests::Heard;
using tests::Peer;
using tests::World;

namespace {

// The TOS octet of the client's socket: the one that is connected to this port.
int tos_of_socket_to(uint16_t port) {
  for (int descriptor = 0; descriptor < 256; ++descriptor) {
    sockaddr_in to = {};
    socklen_t size = sizeof to;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&to), &size) != 0) continue;
    if (to.sin_family != AF_INET || ntohs(to.sin_port) != port) continue;
    int tos = -1;
    size = sizeof tos;
    if (::getsockopt(descriptor, IPPROTO_IP, IP_TOS, &tos, &size) == 0) return tos;
  }
  return -1;
}

}  // namespace

TEST_CASE("curl: a client with a way calls from its source, with its DSCP, by names too") {
  World world;
  ports::OutboundWay way;
  way.source = *IpAddress::parse("127.0.0.77");
  way.dscp = 46;
  CurlClient client(world.loop.raw(), "", way);
  std::string from;
  int tos = -1;
  world.on_request = [&](Peer& peer) {
    from = peer.stream->peer().host;
    tos = tos_of_socket_to(world.listener->address().port);
    peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  };
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Heard heard(world);
    auto spec = world.spec("POST", "/");
    spec.origin.address.host = host;
    auto call = client.call(spec, heard);
    world.run();
    CHECK(heard.body == "ok");
    CHECK(from == "127.0.0.77");
    CHECK(tos == 46 << 2);
  }
}

TEST_CASE("curl: a source that is not ours fails before anything is sent, and says so") {
  World world;
  ports::OutboundWay way;
  way.source = *IpAddress::parse("192.0.2.77");
  CurlClient client(world.loop.raw(), "", way);
  Heard heard(world);
  auto call = client.call(world.spec("POST", "/"), heard);
  world.run();
  REQUIRE(heard.events == std::vector<std::string>{"fail"});
  CHECK(heard.failure.stage == ports::HttpFailure::Stage::connect);
  CHECK(heard.failure.error.text.find("192.0.2.77") != std::string::npos);
  CHECK(world.peers.empty());
}
