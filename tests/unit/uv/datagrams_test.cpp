#include "drivers/uv/datagrams.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "tests/unit/uv/own_namespace.h"
#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");

struct Box final : ports::DatagramSink {
  struct Letter {
    IpEndpoint from;
    std::string bytes;
    Instant received;
    Instant told;
  };
  const ports::Clock& clock;
  std::vector<Letter> letters;
  struct Lost {
    IpEndpoint to;
    IpAddress by;
    bool hops_ended;
    Error error;
  };
  std::vector<Lost> lost;
  std::function<void()> heard;
  explicit Box(const ports::Clock& by) : clock(by) {}
  void on_datagram(const IpEndpoint& from, std::string_view bytes, Instant received) override {
    letters.push_back({from, std::string(bytes), received, clock.now()});
    if (heard) heard();
  }
  void on_undelivered(const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                      const Error& error) override {
    lost.push_back({to, by, hops_ended, error});
    if (heard) heard();
  }
};

struct Udp : World {
  UvDatagrams datagrams{loop, clock};
  Box box{clock};
  Udp() {
    box.heard = [this] { stop(); };
  }
  std::unique_ptr<ports::DatagramSocket> open(ports::DatagramSpec spec, Box& sink) {
    auto socket = datagrams.open(spec, sink);
    REQUIRE(socket);
    return *std::move(socket);
  }
  ports::DatagramSpec at_loopback() {
    ports::DatagramSpec spec;
    spec.way.source = kLoopback;
    return spec;
  }
};

// A plain socket that tells the TOS and TTL octets of what comes.
struct Ear {
  int descriptor = ::socket(AF_INET, SOCK_DGRAM, 0);
  uint16_t port = 0;
  Ear() {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    ::setsockopt(descriptor, IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    port = ntohs(at.sin_port);
  }
  ~Ear() { ::close(descriptor); }
  std::pair<int, int> tos_and_ttl() const {
    char bytes[64];
    char control[256];
    iovec piece = {bytes, sizeof bytes};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    REQUIRE(::recvmsg(descriptor, &message, 0) > 0);
    std::pair<int, int> out = {-1, -1};
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_type == IP_TOS) out.first = *reinterpret_cast<uint8_t*>(CMSG_DATA(c));
      if (c->cmsg_type == IP_TTL) std::memcpy(&out.second, CMSG_DATA(c), sizeof out.second);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("datagrams: what is sent comes whole, with who sent it, for both families") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    Udp world;
    ports::DatagramSpec spec;
    spec.way.source = *IpAddress::parse(address);
    spec.family = spec.way.source->family;
    Box ear(world.clock);
    ear.heard = [&] { world.stop(); };
    const auto near = world.open(spec, world.box);
    const auto far = world.open(spec, ear);
    CHECK(near->local().address == *spec.way.source);
    CHECK(near->local().port != 0);
    const std::string large(ports::kDatagramMax, 'x');
    REQUIRE(near->send(far->local(), large));
    CHECK(ear.letters.empty());
    world.run();
    REQUIRE(ear.letters.size() == 1);
    CHECK(ear.letters[0].from == near->local());
    CHECK(ear.letters[0].bytes == large);
  }
}

TEST_CASE("datagrams: an arrival is when the kernel had it, not when the loop came to it") {
  Udp world;
  const auto near = world.open(world.at_loopback(), world.box);
  Box ear(world.clock);
  ear.heard = [&] { world.stop(); };
  const auto far = world.open(world.at_loopback(), ear);
  std::unique_ptr<ports::Timer> late = world.timers.make([&] {
    REQUIRE(near->send(far->local(), "early"));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // the loop is busy elsewhere
  });
  // The kernel begins to stamp arrivals a moment after the first socket of the machine asks for it
  // (net_enable_timestamp defers that); until then it stamps what is read.
  Duration age;
  for (int attempt = 0; attempt < 20 && age < Duration::ms(50); ++attempt) {
    late->start(Duration());
    world.run();
    age = ear.letters.back().told - ear.letters.back().received;
  }
  CHECK(age >= Duration::ms(50));
  CHECK(age < Duration::seconds(5));
}

TEST_CASE("datagrams: no arrival lies after now, or before the socket was last empty") {
  Udp world;
  const auto near = world.open(world.at_loopback(), world.box);
  Box ear(world.clock);
  const auto far = world.open(world.at_loopback(), ear);
  const Instant opened = world.clock.now();
  int left = 100;
  ear.heard = [&] {
    if (--left == 0) return world.stop();
    REQUIRE(near->send(far->local(), "again"));  // comes in this turn, whose time stands still
  };
  REQUIRE(near->send(far->local(), "first"));
  world.run();
  REQUIRE(ear.letters.size() == 100);
  for (const auto& letter : ear.letters) {
    CHECK(letter.received <= letter.told);
    CHECK(letter.received >= opened);
  }
}

TEST_CASE("datagrams: a port where nobody listens is told, and the next one is sent all the same") {
  Udp world;
  uint16_t dead = 0;
  {
    const Ear gone;
    dead = gone.port;
  }
  const auto near = world.open(world.at_loopback(), world.box);
  Box ear(world.clock);
  ear.heard = [&] { world.stop(); };
  const auto far = world.open(world.at_loopback(), ear);
  REQUIRE(near->send({kLoopback, dead}, "lost"));
  // By now the socket holds the error of the first: it must not hit this one.
  CHECK(near->send(far->local(), "found"));
  world.run();
  world.settle();
  REQUIRE(world.box.lost.size() == 1);
  CHECK(world.box.lost[0].to == IpEndpoint{kLoopback, dead});
  CHECK(world.box.lost[0].by == kLoopback);
  CHECK_FALSE(world.box.lost[0].hops_ended);
  CHECK(world.box.lost[0].error.kind == ErrorKind::gone);
  REQUIRE(ear.letters.size() == 1);
  // And it still listens.
  REQUIRE(far->send(near->local(), "back"));
  world.run();
  CHECK(world.box.letters.size() == 1);
}

TEST_CASE("datagrams: DSCP and hops are on the packets") {
  Udp world;
  const Ear ear;
  ports::DatagramSpec spec = world.at_loopback();
  spec.way.dscp = 46;
  spec.hops_max = 7;
  const auto socket = world.open(spec, world.box);
  REQUIRE(socket->send({kLoopback, ear.port}, "x"));
  CHECK(ear.tos_and_ttl() == std::pair{46 << 2, 7});
}

TEST_CASE("datagrams: a socket closed by its own sink is heard no more") {
  Udp world;
  const auto near = world.open(world.at_loopback(), world.box);
  Box ear(world.clock);
  auto far = world.open(world.at_loopback(), ear);
  ear.heard = [&] {
    far.reset();
    world.stop();
  };
  for (int i = 0; i < 3; ++i) REQUIRE(near->send(far->local(), "x"));
  world.run();
  CHECK(ear.letters.size() == 1);
}

TEST_CASE(
    "datagrams: an address that is not ours is refused, an interface that is not there gone") {
  Udp world;
  ports::DatagramSpec spec;
  spec.way.source = *IpAddress::parse("192.0.2.77");
  auto socket = world.datagrams.open(spec, world.box);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().kind == ErrorKind::refused);
  spec = world.at_loopback();
  spec.family = IpAddress::Family::v6;
  socket = world.datagrams.open(spec, world.box);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().kind == ErrorKind::refused);
  spec = {};
  spec.way.interface = "sluicenone0";
  socket = world.datagrams.open(spec, world.box);
  REQUIRE_FALSE(socket);
  CHECK((socket.error().kind == ErrorKind::gone || socket.error().kind == ErrorKind::refused));
}

TEST_CASE("datagrams: by an interface, with a mark, and ended hops, in a network of our own") {
  const OwnNamespace own(
      "ip link set lo up; ip link add slua type veth peer name slub; ip link set slua up;"
      "ip link set slub up; ip addr add 10.213.0.1/24 dev slua; ip netns add NAME;"
      "ip link set slub netns NAME; ip -n NAME addr add 10.213.0.2/24 dev slub;"
      "ip -n NAME link set slub up; ip -n NAME link set lo up;"
      "ip netns exec NAME sysctl -qw net.ipv4.ip_forward=1;"
      "ip route add 10.214.0.0/24 via 10.213.0.2;"
      "ip -n NAME route add 10.214.0.0/24 via 10.213.0.1;"
      "ip rule add fwmark 0x11000000/0xff000000 unreachable");
  if (!own.works()) {
    MESSAGE("skipped: no namespace can be made here: " << own.why());
    return;
  }
  Udp world;
  // The far side says that nobody listens there, if it is reached at all.
  ports::DatagramSpec spec;
  spec.way.interface = "lo";
  auto socket = world.open(spec, world.box);
  static_cast<void>(socket->send({*IpAddress::parse("10.213.0.2"), 9}, "x"));
  world.settle();
  CHECK(world.box.lost.empty());
  spec.way.interface = "slua";
  socket = world.open(spec, world.box);
  CHECK(socket->send({*IpAddress::parse("10.213.0.2"), 9}, "x"));
  world.run();
  REQUIRE(world.box.lost.size() == 1);
  CHECK(world.box.lost[0].by == *IpAddress::parse("10.213.0.2"));
  // A rule makes marked packets undeliverable.
  spec = {};
  spec.way.mark = 0x11000000;
  socket = world.open(spec, world.box);
  const auto sent = socket->send({*IpAddress::parse("10.213.0.2"), 9}, "x");
  REQUIRE_FALSE(sent);
  CHECK(sent.error().kind == ErrorKind::gone);
  // The far side forwards; the hops end there.
  spec = {};
  spec.hops_max = 1;
  world.box.lost.clear();
  socket = world.open(spec, world.box);
  REQUIRE(socket->send({*IpAddress::parse("10.214.0.9"), 9}, "x"));
  world.run();
  REQUIRE(world.box.lost.size() == 1);
  CHECK(world.box.lost[0].hops_ended);
  CHECK(world.box.lost[0].by == *IpAddress::parse("10.213.0.2"));
  CHECK(world.box.lost[0].to == IpEndpoint{*IpAddress::parse("10.214.0.9"), 9});
  // Larger than the link: refused at once, not sent in pieces.
  spec = {};
  spec.never_fragment = true;
  socket = world.open(spec, world.box);
  const auto large = socket->send({*IpAddress::parse("10.213.0.2"), 9}, std::string(1473, 'x'));
  REQUIRE_FALSE(large);
  CHECK(large.error().kind == ErrorKind::refused);
  CHECK(socket->send({*IpAddress::parse("10.213.0.2"), 9}, std::string(1472, 'x')));
}
