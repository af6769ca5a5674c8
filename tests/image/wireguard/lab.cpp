#include "tests/image/wireguard/lab.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "drivers/netlink/kernel_wireguard.h"
#include "drivers/uapi/userspace_wireguard.h"

namespace sluice::image {

using namespace sluice::ports;

namespace {

std::string without_line_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string rest_of(FILE* pipe) {
  std::string out;
  std::array<char, 4096> part;
  while (const size_t size = fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), size);
  return out;
}

void wire(const std::string& box, const std::string& pop, const std::string& address) {
  run("ip link add dev " + box + " type veth peer name " + pop + " netns suitepop");
  run("ip addr add " + address + "2/24 dev " + box + " && ip link set dev " + box + " up");
  run("ip -n suitepop addr add " + address + "1/24 dev " + pop);
  run("ip -n suitepop link set dev " + pop + " up");
}

}  // namespace

Outcome try_command(const std::string& command) {
  FILE* pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome out;
  out.text = rest_of(pipe);
  out.status = pclose(pipe);
  return out;
}

std::string run(const std::string& command) {
  const Outcome out = try_command(command);
  INFO(command, ": ", out.text);
  REQUIRE(out.status == 0);
  return out.text;
}

KeyPair new_keys() {
  KeyPair keys;
  keys.secret_text = without_line_end(run("wg genkey"));
  const auto secret = parse_wg_key(keys.secret_text);
  const auto open =
      parse_wg_key(without_line_end(run("echo " + keys.secret_text + " | wg pubkey")));
  REQUIRE(secret);
  REQUIRE(open);
  keys.secret = WgSecret(*secret);
  keys.open = *open;
  return keys;
}

WgKey numbered_key(int number) {
  WgKey key{};
  key[0] = 9;  // so that none is zero
  for (size_t i = 0; i < 4; ++i) key[4 + i] = static_cast<uint8_t>(number >> (8 * i));
  return key;
}

IpPrefix net(std::string_view text) {
  const auto prefix = IpPrefix::parse(text);
  REQUIRE(prefix);
  return *prefix;
}

IpEndpoint endpoint(std::string_view text) {
  const auto parsed = IpEndpoint::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

Lab::Lab() {
  REQUIRE(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0);
  REQUIRE(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  run("mkdir -p /var/run/wireguard && mount -t tmpfs lab /var/run/wireguard");
  try_command("ip netns del suitepop");
  run("ip netns add suitepop");
  run("ip link set dev lo up && ip -n suitepop link set dev lo up");
  wire("ua", "pa", "10.1.0.");
  wire("ub", "pb", "10.2.0.");
  run("ip addr add 10.88.0.2/32 dev lo && ip -n suitepop addr add 10.88.0.1/32 dev lo");
  switch (chosen_backend()) {
    case Backend::kernel:
      wireguard = std::make_unique<drivers::KernelWireGuard>(timers);
      break;
    case Backend::userspace:
      wireguard = std::make_unique<drivers::UserspaceWireGuard>(loop, clock, timers, log);
  }
}

// A program that carries an interface ends with it.
Lab::~Lab() {
  for (const char* interface : {"slw0", "slw1", "slw2"}) {
    if (chosen_backend() == Backend::userspace) static_cast<void>(remove(interface));
  }
  wireguard.reset();
  for (const char* lane : {"la", "lb", "lgo", "copy"}) {
    try_command("ip -n suitepop link del dev " + std::string(lane));
  }
  try_command("ip netns del suitepop");
}

// The loop turns until the answer is there. Once before: commands have been waited for, and the
// clock still shows the moment before them.
template <class Value, class Start>
Result<Value> Lab::wait(Start&& start) {
  const auto fresh = timers.make([this] { loop.stop(); });
  fresh->start(Duration());
  loop.run();
  std::optional<Result<Value>> answer;
  const auto guard = timers.make([this] { loop.stop(); });
  guard->start(Duration::seconds(60));
  start([&](Result<Value> result) {
    answer = std::move(result);
    loop.stop();
  });
  CHECK_FALSE(answer);  // never inside the call
  loop.run();
  REQUIRE(answer);
  return std::move(*answer);
}

Result<void> Lab::open(const std::string& interface) {
  return wait<void>([&](WireGuard::Done done) { wireguard->open(interface, std::move(done)); });
}

Result<void> Lab::change(const WgChange& change) {
  return wait<void>([&](WireGuard::Done done) { wireguard->change(change, std::move(done)); });
}

Result<WgState> Lab::read(const std::string& interface) {
  return wait<WgState>(
      [&](WireGuard::OnState done) { wireguard->read(interface, std::move(done)); });
}

Result<void> Lab::remove(const std::string& interface) {
  return wait<void>([&](WireGuard::Done done) { wireguard->remove(interface, std::move(done)); });
}

void Lab::make_stock(const std::string& name, Stock stock) {
  const std::string make = "ip -n suitepop link add dev " + name + " type wireguard";
  if (stock == Stock::userspace || try_command(make).status != 0) {
    in_pop("env LOG_LEVEL=silent wireguard-go " + name);
  }
}

Lane Lab::make_lane(const std::string& name, uint16_t port, const std::string& wire_address,
                    const WgKey& box, Stock stock) {
  const KeyPair keys = new_keys();
  make_stock(name, stock);
  run("echo " + keys.secret_text + " > /tmp/suite.key");
  in_pop("wg set " + name + " private-key /tmp/suite.key listen-port " + std::to_string(port) +
         " peer " + wg_key_text(box) + " allowed-ips 10.88.0.2/32");
  run("rm /tmp/suite.key");
  run("ip -n suitepop link set dev " + name + " up");
  run("ip -n suitepop route replace 10.88.0.2/32 dev " + name + " src 10.88.0.1");
  return {name, keys.open, endpoint(wire_address + ":" + std::to_string(port))};
}

void Lab::join(const std::string& interface, const KeyPair& keys, const Lane& lane) {
  REQUIRE(open(interface));
  WgChange wanted;
  wanted.interface = interface;
  wanted.private_key = keys.secret;
  WgPeerChange& peer = wanted.peers.emplace_back();
  peer.public_key = lane.open;
  peer.endpoint = lane.endpoint;
  peer.allowed = {net("10.88.0.0/24")};
  REQUIRE(change(wanted));
  REQUIRE(links.apply(SetLink{index_of(interface), true, 1420}));
}

int Lab::index_of(const std::string& interface) {
  const auto state = links.read();
  REQUIRE(state);
  for (const LinkState& link : state->links) {
    if (link.name == interface) return link.index;
  }
  FAIL("no interface " << interface);
  return 0;
}

Pings::Pings(int count, const std::string& interval_seconds)
    : pipe_(popen(("ping -q -W 2 -c " + std::to_string(count) + " -i " + interval_seconds +
                   " -I 10.88.0.2 10.88.0.1")
                      .c_str(),
                  "r")) {
  REQUIRE(pipe_ != nullptr);
}

Pings::~Pings() {
  if (pipe_ != nullptr) pclose(pipe_);
}

int Pings::answered() {
  const std::string text = rest_of(pipe_);
  pclose(std::exchange(pipe_, nullptr));
  const size_t at = text.find(" received");
  if (at == std::string::npos) return 0;
  return std::atoi(text.c_str() + text.rfind(' ', at - 1) + 1);
}

}  // namespace sluice::image
