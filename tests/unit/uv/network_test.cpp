#include <doctest/doctest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

std::string socket_path(const char* name) {
  return "/tmp/sluice_net_" + std::to_string(::getpid()) + "_" + name;
}

// The socket file of a program that ended without tidying up.
void leave_stale_socket(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(descriptor);
}

Error dial_error(World& world, const ports::Address& to, Duration timeout) {
  Caller caller;
  caller.ended = [&] { world.stop(); };
  caller.dial = world.dialer.dial(to, timeout, caller);
  CHECK_FALSE(caller.error.has_value());
  world.run();
  CHECK(caller.stream == nullptr);
  REQUIRE(caller.error.has_value());
  return *caller.error;
}

// Listening, but its queue is full: whoever connects waits. Holds until destroyed.
struct FullListener {
  int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  std::vector<int> callers;
  uint16_t port = 0;
  FullListener() {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(descriptor, 0) == 0);
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port = ntohs(at.sin_port);
    for (int i = 0; i < 4; ++i) {
      callers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      static_cast<void>(
          ::connect(callers.back(), reinterpret_cast<const sockaddr*>(&at), sizeof at));
    }
  }
  ~FullListener() {
    for (const int caller : callers) ::close(caller);
    ::close(descriptor);
  }
};

}  // namespace

TEST_CASE("dial: refused is gone, and says by whom") {
  World world;
  uint16_t port = 0;
  {
    Door door;
    auto listener = world.listeners.listen(loopback_port(), door);
    REQUIRE(listener);
    port = (*listener)->address().port;
  }
  world.settle();
  const Error error = dial_error(world, loopback_port(port), Duration::seconds(5));
  CHECK(error.kind == ErrorKind::gone);
  CHECK(error.text.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
  CHECK(error.text.find("ECONNREFUSED") != std::string::npos);
}

TEST_CASE("dial: gives up when the time is over, not before") {
  World world;
  const FullListener full;
  const Instant before = world.clock.now();
  const Error error = dial_error(world, loopback_port(full.port), Duration::ms(120));
  CHECK(error.kind == ErrorKind::gone);
  CHECK(error.text.find("ETIMEDOUT") != std::string::npos);
  CHECK(world.clock.now() - before >= Duration::ms(120));
  CHECK(world.clock.now() - before < Duration::seconds(10));
}

TEST_CASE("dial: no time at all is a failure, on a later turn") {
  World world;
  const FullListener full;
  const Error error = dial_error(world, loopback_port(full.port), Duration());
  CHECK(error.text.find("ETIMEDOUT") != std::string::npos);
}

TEST_CASE("dial: an address without a route is gone, on a later turn") {
  World world;
  const Error error = dial_error(world, {"255.255.255.255", 9, ""}, Duration::seconds(5));
  CHECK(error.kind == ErrorKind::gone);
}

TEST_CASE("dial: an unknown name and impossible names are gone") {
  World world;
  CHECK(dial_error(world, {"no-such-host.invalid", 80, ""}, Duration::seconds(20)).kind ==
        ErrorKind::gone);
  CHECK(dial_error(world, {"", 80, ""}, Duration::seconds(20)).kind == ErrorKind::gone);
  CHECK(dial_error(world, {std::string(2000, 'x'), 80, ""}, Duration::seconds(20)).kind ==
        ErrorKind::gone);
}

namespace {

// A container may come without /etc/hosts.
bool knows_localhost() {
  addrinfo* found = nullptr;
  const bool known = getaddrinfo("localhost", nullptr, nullptr, &found) == 0;
  if (found != nullptr) freeaddrinfo(found);
  return known;
}

}  // namespace

TEST_CASE("dial: a name is resolved and its addresses tried in turn") {
  if (!knows_localhost()) {
    MESSAGE("SKIPPED: this machine does not know the name localhost");
    return;
  }
  World world;
  Door door;
  auto listener = world.listeners.listen(loopback_port(), door);
  REQUIRE(listener);
  Caller caller;
  const Callback both = [&] {
    if (caller.error || (caller.stream != nullptr && !door.streams.empty())) world.stop();
  };
  caller.ended = both;
  door.accepted = both;
  caller.dial = world.dialer.dial({"localhost", (*listener)->address().port, ""},
                                  Duration::seconds(20), caller);
  world.run();
  REQUIRE(caller.stream != nullptr);
  CHECK(caller.stream->peer() == (*listener)->address());
}

TEST_CASE("dial: destroyed while it resolves or connects, nothing is heard") {
  World world;
  const FullListener full;
  Caller caller;
  caller.dial = world.dialer.dial({"localhost", 1, ""}, Duration::seconds(5), caller);
  caller.dial = world.dialer.dial(loopback_port(full.port), Duration::ms(10), caller);
  caller.dial = world.dialer.dial({"", 0, socket_path("none")}, Duration::ms(10), caller);
  caller.dial.reset();
  world.settle();
  CHECK_FALSE(caller.error.has_value());
  CHECK(caller.stream == nullptr);
}

TEST_CASE("dial: a local socket that is not there, or whose path is too long, is gone") {
  World world;
  const Error absent = dial_error(world, {"", 0, socket_path("absent")}, Duration::seconds(5));
  CHECK(absent.kind == ErrorKind::gone);
  CHECK(absent.text.find("ENOENT") != std::string::npos);
  const std::string path = "/tmp/" + std::string(200, 'x');
  CHECK(dial_error(world, {"", 0, path}, Duration::seconds(5)).kind == ErrorKind::gone);
}

TEST_CASE("listen: an address in use is refused with words on what to do") {
  World world;
  Door door;
  auto first = world.listeners.listen(loopback_port(), door);
  REQUIRE(first);
  const auto second = world.listeners.listen((*first)->address(), door);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::refused);
  CHECK(second.error().text.find((*first)->address().text()) != std::string::npos);
  CHECK(second.error().text.find("in use by another program") != std::string::npos);
  CHECK(second.error().text.find("choose another port") != std::string::npos);
}

TEST_CASE("listen: an address of another machine and a name are refused") {
  World world;
  Door door;
  const auto foreign = world.listeners.listen({"192.0.2.1", 0, ""}, door);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().kind == ErrorKind::refused);
  CHECK(foreign.error().text.find("does not have that address") != std::string::npos);
  const auto name = world.listeners.listen({"example", 0, ""}, door);
  REQUIRE_FALSE(name);
  CHECK(name.error().text.find("not an IP address") != std::string::npos);
}

TEST_CASE("listen: IPv6, with the real port") {
  World world;
  Door door;
  auto listener = world.listeners.listen({"::1", 0, ""}, door);
  if (!listener) {
    MESSAGE("no IPv6 here: ", listener.error().text);
    CHECK(listener.error().kind == ErrorKind::refused);
    return;
  }
  CHECK((*listener)->address().host == "::1");
  CHECK((*listener)->address().port > 0);
  Pair pair(world, {"::1", 0, ""});
  pair.near.stream->write("six");
  world.settle();
  CHECK(pair.far.heard == "six");
  CHECK(pair.far.stream->peer().host == "::1");
}

TEST_CASE("listen: destroyed inside on_accept; the accepted stream lives on") {
  World world;
  Door door;
  End end;
  auto listener = world.listeners.listen(loopback_port(), door);
  REQUIRE(listener);
  std::unique_ptr<ports::Listener> owned = std::move(listener).value();
  Caller caller;
  Caller second;
  door.accepted = [&] {
    owned.reset();
    world.stop();
  };
  caller.dial = world.dialer.dial(owned->address(), Duration::seconds(5), caller);
  second.dial = world.dialer.dial(owned->address(), Duration::seconds(5), second);
  world.run();
  world.settle();
  REQUIRE(caller.stream != nullptr);
  REQUIRE(door.streams.size() == 1);
  door.streams[0]->start(end);
  End near;
  caller.stream->start(near);
  caller.stream->write("still here");
  world.settle();
  CHECK(end.heard == "still here");
}

TEST_CASE("listen: a local socket has mode 0660 and leaves with its listener") {
  World world;
  Door door;
  const std::string path = socket_path("mode");
  {
    auto listener = world.listeners.listen({"", 0, path}, door);
    REQUIRE(listener);
    struct stat status = {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0660);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("listen: a stale local socket is replaced, an answered one and a plain file are not") {
  World world;
  Door door;
  const std::string path = socket_path("stale");
  leave_stale_socket(path);
  auto listener = world.listeners.listen({"", 0, path}, door);
  REQUIRE(listener);
  const auto second = world.listeners.listen({"", 0, path}, door);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::refused);
  CHECK(second.error().text.find("another program answers") != std::string::npos);
  CHECK(::access(path.c_str(), F_OK) == 0);

  const std::string file = socket_path("file");
  std::ofstream(file) << "precious";
  const auto third = world.listeners.listen({"", 0, file}, door);
  REQUIRE_FALSE(third);
  CHECK(third.error().text.find("no socket") != std::string::npos);
  CHECK(::access(file.c_str(), F_OK) == 0);
  ::unlink(file.c_str());

  const auto fourth = world.listeners.listen({"", 0, "/no/such/folder/socket"}, door);
  REQUIRE_FALSE(fourth);
  CHECK(fourth.error().text.find("folder") != std::string::npos);
  CHECK_FALSE(world.listeners.listen({"", 0, "/tmp/" + std::string(200, 'x')}, door));
  world.settle();
}

TEST_CASE(
    "listen: without descriptors left the caller is closed at once, and accepting goes on later") {
  World world;
  Door door;
  End end;
  auto listener = world.listeners.listen(loopback_port(), door);
  REQUIRE(listener);
  Caller caller;
  caller.ended = [&] { world.stop(); };
  rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  std::vector<int> fillers;
  rlimit low = before;
  low.rlim_cur = 128;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int filler = ::dup(0); filler >= 0; filler = ::dup(0)) fillers.push_back(filler);
  ::close(fillers.back());  // one for the caller's own socket
  fillers.pop_back();
  caller.dial = world.dialer.dial((*listener)->address(), Duration::seconds(5), caller);
  world.run();
  REQUIRE(caller.stream != nullptr);
  end.stream = std::move(caller.stream);
  const Callback over = [&] { world.stop(); };
  end.end_seen = over;
  end.error_seen = over;
  end.stream->start(end);
  world.run();
  CHECK(door.streams.empty());
  for (const int filler : fillers) ::close(filler);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

  door.accepted = over;
  caller.ended = nullptr;
  caller.dial = world.dialer.dial((*listener)->address(), Duration::seconds(5), caller);
  world.run();
  CHECK(door.streams.size() == 1);
}
