// Names, files and programs that are not ours, or not there; and what is left behind.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "drivers/uapi/control_socket.h"
#include "drivers/uapi/plane_record.h"
#include "drivers/uapi/program_version.h"
#include "drivers/uv/process.h"
#include "tests/unit/uapi/tunnel.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

constexpr const char* kPidFile = "/run/wireguard/slwt0.pid";
constexpr const char* kSocketFile = "/run/wireguard/slwt0.sock";

bool is_there(const char* path) { return ::access(path, F_OK) == 0; }
bool has_interface() { return std::system("ip link show slwt0 >/dev/null 2>&1") == 0; }

std::unique_ptr<UserspaceWireGuard> make(LoopWorld& world, const UserspaceSpec& spec = {}) {
  return std::make_unique<UserspaceWireGuard>(world.loop, world.clock, world.timers, world.log,
                                              spec);
}

struct Sleeper {  // a process of another program
  std::unique_ptr<UvProcess> process;
  explicit Sleeper(LoopWorld& world) {
    SpawnSpec spec;
    spec.program = *program_path("sleep");
    spec.arguments = {"60"};
    auto started = UvProcess::start(world.loop, spec, [](int) {});
    REQUIRE(started);
    process = *std::move(started);
  }
  ~Sleeper() { process->send(SIGKILL); }
};

}  // namespace

TEST_CASE("userspace: what this machine lacks is said, with what to do") {
  UserspaceSpec spec;
  spec.program = "sluice-no-such-program";
  auto possible = userspace_possible(spec);
  REQUIRE_FALSE(possible);
  CHECK(possible.error().kind == ErrorKind::unsupported);
  CHECK(possible.error().text.find("install the package wireguard-go") != std::string::npos);
  spec.program = "/bin/true";
  spec.tun_device = "/dev/net/sluice-no-such-device";
  possible = userspace_possible(spec);
  REQUIRE_FALSE(possible);
  CHECK(possible.error().kind == ErrorKind::unsupported);
  CHECK(possible.error().text.find("load the tun module") != std::string::npos);
  LoopWorld world;
  const auto wireguard = make(world, spec);
  const auto opened = world.open(*wireguard, "slwt0");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == ErrorKind::unsupported);
}

TEST_CASE("userspace: names that are something else's, or none, are refused and left alone") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const auto wireguard = make(world);
  shell("ip tuntap add dev slwtun mode tun; ip tuntap add dev slwtap mode tap");
  for (const char* name :
       {"wire0", "slwtun", "slwtap", "lo", "", "..", "a/b", "a b", "a:b", "longer-than-fifteen"}) {
    CAPTURE(name);
    const auto opened = world.open(*wireguard, name);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::refused);
    CHECK(world.remove(*wireguard, name));  // nothing of ours
  }
  CHECK(shell("ip -br link show wire0; ip -br link show slwtun; ip -br link show slwtap").size() >
        0);
  CHECK(shell("ls /run/wireguard").empty());
}

TEST_CASE("userspace: an interface that is not open is gone") {
  LoopWorld world;
  const auto wireguard = make(world);
  CHECK(wireguard->backend() == "userspace");
  CHECK(world.change(*wireguard, box_change()).error().kind == ErrorKind::gone);
  CHECK(world.read(*wireguard, "slwt0").error().kind == ErrorKind::gone);
}

TEST_CASE("userspace: removing ends the program and leaves nothing; a stopped one is killed") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const auto wireguard = make(world);
  for (const bool stopped : {false, true}) {
    REQUIRE(world.open(*wireguard, "slwt0"));
    CHECK(world.open(*wireguard, "slwt0"));  // it is open
    struct stat socket = {};
    struct stat folder = {};
    REQUIRE(::stat(kSocketFile, &socket) == 0);
    REQUIRE(::stat("/run/wireguard", &folder) == 0);
    CHECK((socket.st_mode & 0777) == 0600);
    CHECK((folder.st_mode & 0777) == 0700);
    const pid_t program = Tunnel::program_of("slwt0");
    if (stopped) REQUIRE(::kill(program, SIGSTOP) == 0);
    CHECK(world.remove(*wireguard, "slwt0"));
    CHECK_FALSE(has_interface());
    CHECK_FALSE(is_there(kPidFile));
    CHECK_FALSE(is_there(kSocketFile));
    CHECK(::kill(program, 0) != 0);
  }
}

TEST_CASE("userspace: what an earlier daemon left can be removed without opening it") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  for (const bool alive : {true, false}) {
    auto wireguard = make(world);
    REQUIRE(world.open(*wireguard, "slwt0"));
    const pid_t program = Tunnel::program_of("slwt0");
    wireguard.reset();
    if (!alive) world.end(program);
    wireguard = make(world);
    CHECK(has_interface());
    CHECK(world.remove(*wireguard, "slwt0"));
    CHECK_FALSE(has_interface());
    CHECK_FALSE(is_there(kPidFile));
  }
}

TEST_CASE("userspace: calls about one interface take effect in their order") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const auto wireguard = make(world);
  std::vector<std::string> order;
  const auto note = [&](const std::string& what) {
    return [&order, what](const Result<void>& done) {
      order.push_back(what + (done ? "" : std::string(" ") + to_text(done.error().kind)));
    };
  };
  uint16_t port = 0;
  wireguard->open("slwt0", note("open"));
  for (const uint16_t want : {50001, 50002}) {
    ports::WgChange change;
    change.interface = "slwt0";
    change.listen_port = want;
    wireguard->change(change, note("change"));
  }
  wireguard->read("slwt0", [&](const Result<ports::WgState>& state) {
    order.push_back("read");
    if (state) port = state->listen_port;
  });
  world.run_until([&] { return order.size() == 4; });
  CHECK(order == std::vector<std::string>{"open", "change", "change", "read"});
  CHECK(port == 50002);
  order.clear();
  wireguard->remove("slwt0", note("remove"));
  wireguard->read("slwt0", [&](const auto& state) {
    order.push_back(state ? "read" : to_text(state.error().kind));
  });
  wireguard->open("slwt0", note("open"));
  world.run_until([&] { return order.size() == 3; });
  CHECK(order == std::vector<std::string>{"gone", "remove", "open"});
  order.clear();
  wireguard->remove("slwt0", note("remove"));
  wireguard->open("slwt0", note("open"));
  wireguard->remove("slwt0", note("remove"));
  world.run_until([&] { return order.size() == 3; });
  CHECK(order == std::vector<std::string>{"open gone", "remove", "remove"});
  CHECK_FALSE(has_interface());
}

TEST_CASE("userspace: a pid file whose number went to another process harms nobody") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const Sleeper sleeper(world);
  const pid_t other = sleeper.process->pid();
  auto wireguard = make(world);
  REQUIRE(world.open(*wireguard, "slwt0"));
  const pid_t program = Tunnel::program_of("slwt0");
  const uint64_t start = identity_of(program)->start;
  wireguard.reset();
  world.end(program);
  // The right time of another program; the wrong time; a number that nobody has.
  for (const PlaneRecord& record : {PlaneRecord{other, identity_of(other)->start},
                                    PlaneRecord{other, start}, PlaneRecord{2147483646, 1}}) {
    REQUIRE(write_plane_record(kPidFile, record));
    wireguard = make(world);
    CHECK(world.open(*wireguard, "slwt0"));
    const pid_t own = Tunnel::program_of("slwt0");
    REQUIRE(own != other);
    wireguard.reset();
    world.end(own);
    REQUIRE(write_plane_record(kPidFile, record));
    wireguard = make(world);
    CHECK(world.remove(*wireguard, "slwt0"));
    CHECK_FALSE(has_interface());
    CHECK_FALSE(sleeper.process->has_ended());
    REQUIRE(world.open(*wireguard, "slwt0"));  // for the next
    wireguard.reset();
    world.end(Tunnel::program_of("slwt0"));
  }
  wireguard = make(world);
  CHECK(world.remove(*wireguard, "slwt0"));
}

TEST_CASE("userspace: a stale socket file is replaced, one that is listened at is not") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const auto wireguard = make(world);
  REQUIRE(make_control_folder("/run/wireguard"));
  {
    const auto listener = listen_at(kSocketFile);
    REQUIRE(listener);
    const auto opened = world.open(*wireguard, "slwt0");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::refused);
    CHECK_FALSE(has_interface());
    CHECK_FALSE(is_there(kPidFile));
  }
  REQUIRE(is_there(kSocketFile));
  CHECK(world.open(*wireguard, "slwt0"));
  CHECK(world.read(*wireguard, "slwt0"));
  CHECK(world.remove(*wireguard, "slwt0"));
}

TEST_CASE(
    "userspace: a program that ends as soon as it is started fails the open, and leaves nothing") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  UserspaceSpec spec;
  spec.program = "/run/wireguard-go";
  shell(
      "printf '#!/bin/sh\\n[ \"$1\" = --version ] && exec wireguard-go --version; exit 1\\n' "
      ">/run/wireguard-go; chmod +x /run/wireguard-go");
  const auto wireguard = make(world, spec);
  const auto opened = world.open(*wireguard, "slwt0");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("exit code 1") != std::string::npos);
  CHECK_FALSE(has_interface());
  CHECK_FALSE(is_there(kPidFile));
  CHECK_FALSE(is_there(kSocketFile));
}

TEST_CASE("userspace: a value that is not accepted is refused, and no secret is in any log") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  // The program's log goes where ours does: here, to a file.
  const HeldDescriptor stderr_before(::dup(STDERR_FILENO));
  const HeldDescriptor file(::open("/run/log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  REQUIRE(::dup2(file.number(), STDERR_FILENO) >= 0);
  LoopWorld world;
  const auto wireguard = make(world);
  const auto opened = world.open(*wireguard, "slwt0");
  REQUIRE(::dup2(stderr_before.number(), STDERR_FILENO) >= 0);
  REQUIRE(opened);
  const HeldDescriptor taken(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  shell("ip link set slwt0 up");
  CHECK(world.change(*wireguard, pop_change()).error().kind == ErrorKind::gone);  // of slwt1
  auto change = box_change();
  REQUIRE(world.change(*wireguard, change));
  sockaddr_in6 any = {};
  any.sin6_family = AF_INET6;
  socklen_t size = sizeof any;
  REQUIRE(::bind(taken.number(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  REQUIRE(::getsockname(taken.number(), reinterpret_cast<sockaddr*>(&any), &size) == 0);
  change.listen_port = ntohs(any.sin6_port);
  const auto refused = world.change(*wireguard, change);
  const std::string log =
      shell("cat /run/log") + world.log.all + (refused ? "" : refused.error().text);
  std::string hex;
  for (const auto& secret : {*change.private_key, *change.peers[0].preshared}) {
    for (const uint8_t byte : secret.reveal()) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    CHECK(log.find(hex) == std::string::npos);
    CHECK(log.find(ports::wg_key_text(secret.reveal())) == std::string::npos);
    hex.clear();
  }
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::refused);
  CHECK(log.find("errno") == std::string::npos);
  CHECK(world.remove(*wireguard, "slwt0"));
}

TEST_CASE("userspace: the TUN has what the program's version reads") {
  CHECK(packet_prefix_of("wireguard-go v0.0.20220316\n\nUserspace WireGuard daemon") == 4);
  CHECK(packet_prefix_of("wireguard-go v0.0.20230223\n") == 0);
  CHECK(packet_prefix_of("wireguard-go 0.0.20250522\n") == 0);
  CHECK(packet_prefix_of("wireguard-go devel 123456789\n") == 0);
  for (const char* no_answer : {"", "wireguard-go", "wireguard-go v0.0.2022", "wireguard-go \n",
                                "false (GNU coreutils) 9.1\n", "20220316\n"}) {
    CAPTURE(no_answer);
    CHECK_FALSE(packet_prefix_of(no_answer));
  }
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  UserspaceSpec later;
  later.program = "/run/wireguard-go";
  shell(
      "printf '#!/bin/sh\\n[ \"$1\" = --version ] && { echo wireguard-go v0.0.20250522; exit; "
      "}\\nexec wireguard-go \"$@\"\\n' >/run/wireguard-go; chmod +x /run/wireguard-go");
  for (const UserspaceSpec& spec : {UserspaceSpec{}, later}) {
    const auto wireguard = make(world, spec);
    REQUIRE(world.open(*wireguard, "slwt0"));
    const bool has_prefix = shell("ip -d link show slwt0").find("pi on") != std::string::npos;
    CHECK(has_prefix == (spec.program == "wireguard-go"));
    CHECK(world.remove(*wireguard, "slwt0"));
  }
}

TEST_CASE("userspace: a version that comes late is asked again, and of another file anew") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  UserspaceSpec spec;
  spec.program = "/run/wireguard-go";
  const auto write = [](const std::string& says) {
    shell("printf '#!/bin/sh\\n[ \"$1\" = --version ] && { " + says +
          "; exit; }\\nexec wireguard-go \"$@\"\\n' >/run/next; chmod +x /run/next; "
          "mv /run/next /run/wireguard-go");
  };
  // The answer waits until the fifo has a reader.
  shell("mkfifo /run/slow");
  write("[ -e /run/slow ] && echo >/run/slow; echo wireguard-go v0.0.20220316");
  const auto wireguard = make(world, spec);
  for (int i = 0; i < 2; ++i) {
    const auto opened = world.open(*wireguard, "slwt0");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::busy);
    CHECK_FALSE(has_interface());
    CHECK_FALSE(is_there(kPidFile));
    CHECK_FALSE(is_there(kSocketFile));
  }
  shell("rm /run/slow");
  const Instant begin = world.clock.now();
  Result<void> opened = world.open(*wireguard, "slwt0");
  while (!opened && world.clock.now() < begin + Duration::seconds(10)) {
    world.run_until(
        [&, now = world.clock.now()] { return world.clock.now() > now + Duration::ms(100); });
    opened = world.open(*wireguard, "slwt0");
  }
  REQUIRE(opened);
  const auto has_prefix = [] {
    return shell("ip -d link show slwt0").find("pi on") != std::string::npos;
  };
  CHECK(has_prefix());
  CHECK(world.remove(*wireguard, "slwt0"));
  write("echo wireguard-go v0.0.20250522");
  REQUIRE(world.open(*wireguard, "slwt0"));
  CHECK_FALSE(has_prefix());
  CHECK(world.remove(*wireguard, "slwt0"));
  write("echo another program 1.2");
  CHECK(world.open(*wireguard, "slwt0").error().kind == ErrorKind::unsupported);
}

TEST_CASE("userspace: two thousand peers are set in one request and read back") {
  OwnSpaces spaces;
  if (!spaces.work()) {
    MESSAGE("skipped: " << spaces.why());
    return;
  }
  LoopWorld world;
  const auto wireguard = make(world);
  REQUIRE(world.open(*wireguard, "slwt0"));
  ports::WgChange change;
  change.interface = "slwt0";
  change.private_key = private_key(3);
  for (int i = 0; i < 2000; ++i) {
    ports::WgPeerChange& peer = change.peers.emplace_back();
    peer.public_key[0] = static_cast<uint8_t>(i & 255);
    peer.public_key[1] = static_cast<uint8_t>(i >> 8);
    peer.public_key[2] = 1;
    peer.allowed = {{{IpAddress::Family::v4,
                      {10, 90, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i & 255)}},
                     32}};
  }
  CHECK(world.change(*wireguard, change));
  const auto state = world.read(*wireguard, "slwt0");
  REQUIRE(state);
  CHECK(state->peers.size() == 2000);
  // One more is added, and one removed; the others stay.
  ports::WgChange small;
  small.interface = "slwt0";
  small.peers.resize(2);
  small.peers[0].public_key = change.peers[7].public_key;
  small.peers[0].remove = true;
  small.peers[1].public_key[0] = 99;
  small.peers[1].update_only = true;  // of one that is not there: no effect
  CHECK(world.change(*wireguard, small));
  CHECK(world.read(*wireguard, "slwt0")->peers.size() == 1999);
  CHECK(world.remove(*wireguard, "slwt0"));
}
