// The belt and the queues as the real nft and tc take them, in a network namespace of their own.
#include "firmware/tunnel/belt.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "firmware/tunnel/names.h"
#include "firmware/tunnel/shaping.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

// Runs a script in a fresh network namespace; its output. It ends with the script.
std::string in_namespace(const std::string& script) {
  const std::string path = fmt::format("converge_belt_{}.sh", static_cast<const void*>(&script));
  std::ofstream(path) << "set -e\nexport PATH=$PATH:/usr/sbin:/sbin\n" << script;
  FILE* run = popen(fmt::format("timeout 60 unshare --net sh {} 2>&1", path).c_str(), "r");
  REQUIRE(run != nullptr);
  std::string out;
  std::array<char, 4096> buffer{};
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), run)) {
    out.append(buffer.data(), count);
  }
  const int code = pclose(run);
  std::remove(path.c_str());
  return out + (code == 0 ? "" : fmt::format("\nFAILED {}", code));
}

bool can_make_namespaces() {
  const std::string out =
      in_namespace("nft list tables && tc -V >/dev/null && ping -V >/dev/null && echo can");
  if (out == "can\n") return true;
  MESSAGE("skipped: no network namespaces, nft, tc or ping here: ", out);
  return false;
}

std::string here(const std::string& command, const std::string& input) {
  return command + " <<'EOF_INPUT'\n" + input + "EOF_INPUT\n";
}

BeltInput belt() {
  BeltInput out;
  out.prefixes = {net("10.88.0.0/16"), net("10.88.0.0/24"), net("10.90.1.0/24")};
  out.address = ip("10.88.0.2");
  out.outer = {{uplink_mark(0), 26}, {uplink_mark(1), 0}};
  return out;
}

// An uplink that swallows what leaves by it, and counts it.
const char* const kUplink =
    "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1\n"
    "ip link set lo up\n"
    "ip link add wan0 type veth peer name wanp\n"
    "ip link set wan0 up; ip link set wanp up\n"
    "ip addr add 203.0.113.5/24 dev wan0\n"
    "ip neigh add 203.0.113.1 lladdr 02:00:00:00:00:01 dev wan0\n"
    "ip route add default via 203.0.113.1\n"
    "left() { ip -s link show wan0 | sed -n '/TX:/{n;s/^ *[0-9]* *\\([0-9]*\\).*/\\1/p}'; }\n";

const char* const kSend = "ping -c 3 -i 0.2 -W 1 10.88.0.1 >/dev/null 2>&1 || true\n";

}  // namespace

TEST_CASE("belt: nft takes it, takes it again, and takes it away") {
  if (!can_make_namespaces()) return;
  std::string script = here("nft --file -", belt_ruleset(belt()));
  script += here("nft --file -", belt_ruleset(belt()));
  script += here("nft --file -", belt_ruleset({}));
  script += here("nft --file -", belt_ruleset(belt()));
  script += "nft list table inet sluice_tunnel\n";
  script += here("nft --file -", belt_removal()) + here("nft --file -", belt_removal());
  script += "echo left: $(nft list tables)\n";
  const std::string out = in_namespace(script);
  CAPTURE(out);
  CHECK(out.find("10.88.0.0/16") != std::string::npos);
  CHECK(out.find("ip dscp set af31") != std::string::npos);
  CHECK(out.find("ip6 dscp set af31") != std::string::npos);
  CHECK(out.ends_with("left:\n"));
}

TEST_CASE("belt: without a tunnel no packet for the network leaves, and each is counted") {
  if (!can_make_namespaces()) return;
  std::string script = kUplink;
  // The control: without the belt they do leave.
  script += std::string("before=$(left)\n") + kSend + "echo without $(( $(left) - before ))\n";
  script += here("nft --file -", belt_ruleset(belt()));
  script += std::string("before=$(left)\n") + kSend + "echo with $(( $(left) - before ))\n";
  script += "nft --json list counters table inet sluice_tunnel\n";
  const std::string out = in_namespace(script);
  CAPTURE(out);
  CHECK(out.find("without 3\n") != std::string::npos);
  CHECK(out.find("with 0\n") != std::string::npos);
  const size_t json = out.find('{');
  REQUIRE(json != std::string::npos);
  const auto counters = read_belt_counters(out.substr(json));
  REQUIRE(counters);
  CHECK(counters->output_packets == 3);
  CHECK(counters->forward_packets == 0);
}

TEST_CASE("belt: what goes into a tunnel passes, what pretends to come out of one does not") {
  if (!can_make_namespaces()) return;
  std::string script = kUplink;
  script += "ip tuntap add slw0 mode tun\nip link set slw0 up\nip addr add 10.88.0.2/32 dev slw0\n";
  script += "ip route add 10.88.0.0/24 dev slw0\n";
  script += here("nft --file -", belt_ruleset(belt()));
  script += kSend;
  script += "ping -c 1 -W 1 10.88.0.2 >/dev/null && echo self\n";
  // A neighbour of the uplink sends with an address of the network, to the inner address.
  script +=
      "mac=$(ip -br link show wan0 | awk '{print $3}')\n"
      "unshare --net sleep 30 & far=$!\n"
      "while [ \"$(readlink /proc/$far/ns/net)\" = \"$(readlink /proc/$$/ns/net)\" ]; do sleep "
      "0.02; done\n"
      "ip link set wanp netns $far\n"
      "cat >far.$far <<EOF_FAR\n"
      "ip link set wanp up; ip addr add 10.90.1.9/24 dev wanp\n"
      "ip route add default dev wanp; ip neigh add 203.0.113.5 lladdr $mac dev wanp\n"
      "ping -c 2 -i 0.2 -W 1 203.0.113.5\n"
      "EOF_FAR\n"
      "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan0.rp_filter=0\n"
      "nsenter --net=/proc/$far/ns/net sh far.$far >/dev/null 2>&1 || true\n"
      "rm far.$far; kill $far\n"
      "nft --json list counters table inet sluice_tunnel\n";
  const std::string out = in_namespace(script);
  CAPTURE(out);
  CHECK(out.find("self\n") != std::string::npos);
  const size_t json = out.find('{');
  REQUIRE(json != std::string::npos);
  const auto counters = read_belt_counters(out.substr(json));
  REQUIRE(counters);
  CHECK(counters->output_packets == 0);
  CHECK(counters->spoofed_packets == 2);
}

TEST_CASE(
    "belt: the site keeps its own part, where its interface is, but for the network's nodes") {
  if (!can_make_namespaces()) return;
  BeltInput input = belt();
  input.nodes = {ip("10.88.0.140")};
  std::string script = kUplink;
  script +=
      "ip link add lan0 type veth peer name lanp\nip link set lan0 up; ip link set lanp up\n"
      "ip addr add 10.88.0.129/25 dev lan0\n"
      "for to in 130 140; do ip neigh add 10.88.0.$to lladdr 02:00:00:00:00:02 dev lan0; done\n"
      "by() { ip -s link show $1 | sed -n '/TX:/{n;s/^ *[0-9]* *\\([0-9]*\\).*/\\1/p}'; }\n"
      "try() { a=$(by wan0); b=$(by lan0); ping -c 3 -i 0.2 -W 1 10.88.0.$1 >/dev/null 2>&1 || "
      "true\n  echo $1: $(( $(by wan0) - a )) $(( $(by lan0) - b )); }\n"
      "index=$(ip -o link show lan0 | cut -d: -f1)\n";
  input.site = {{424242, net("10.88.0.128/25")}};
  std::string rules = belt_ruleset(input);
  for (size_t at; (at = rules.find("424242")) != std::string::npos;) {
    rules.replace(at, 6, "$index");
  }
  script += "nft --file - <<EOF_INPUT\n" + rules + "EOF_INPUT\n";
  script += "try 130\ntry 140\ntry 1\n";
  script += "nft --json list counters table inet sluice_tunnel\n";
  const std::string out = in_namespace(script);
  CAPTURE(out);
  CHECK(out.find("130: 0 3\n") != std::string::npos);  // the site's, by its interface
  CHECK(out.find("140: 0 0\n") != std::string::npos);  // a node of the network
  CHECK(out.find("\n1: 0 0\n") != std::string::npos);  // the rest of the network
  const size_t json = out.find('{');
  REQUIRE(json != std::string::npos);
  const auto counters = read_belt_counters(out.substr(json));
  REQUIRE(counters);
  CHECK(counters->output_packets == 6);
}

TEST_CASE("belt: counters that are not told are not taken for zero") {
  CHECK_FALSE(read_belt_counters(""));
  CHECK_FALSE(read_belt_counters("{\"nftables\": []}"));
  CHECK_FALSE(
      read_belt_counters("{\"nftables\": [{\"counter\": {\"name\": \"leaks_output\", "
                         "\"table\": \"other\", \"packets\": 1}}]}"));
}

TEST_CASE("shaping: tc takes it, sorts by DSCP, takes it again, and takes it away") {
  if (!can_make_namespaces()) return;
  ShapingInput input;
  input.interface = "slw0";
  input.rate_bits = 20'000'000;
  // A veth, which has a carrier without somebody that reads.
  std::string script =
      "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1\n"
      "ip link add slw0 type veth peer name far; ip link set slw0 up; ip link set far up\n"
      "ip addr add 10.88.0.2/24 dev slw0\n"
      "ip neigh add 10.88.0.1 lladdr 02:00:00:00:00:01 dev slw0\n";
  script += here("tc -batch -", shaping_batch(input));
  input.rate_bits = 30'000'000;
  script += here("tc -batch -", shaping_batch(input));
  script += "ping -c 2 -i 0.2 -W 1 -Q 0x20 10.88.0.1 >/dev/null 2>&1 || true\n";
  script += "ping -c 3 -i 0.2 -W 1 -Q 0xb8 10.88.0.1 >/dev/null 2>&1 || true\n";
  script += "ping -c 1 -W 1 10.88.0.1 >/dev/null 2>&1 || true\n";
  script += "tc -s class show dev slw0\necho ==\n";
  script += here("tc -batch -", shaping_removal("slw0"));
  script += here("tc -batch -", shaping_removal("slw0"));
  script += "tc qdisc show dev slw0\n";
  const std::string out = in_namespace(script);
  CAPTURE(out);
  CHECK(out.find("FAILED") == std::string::npos);
  CHECK(out.find("class htb 1:10 parent 1:1 leaf 10: prio 0") != std::string::npos);
  CHECK(out.find("class htb 1:20 parent 1:1 leaf 20: prio 1") != std::string::npos);
  const size_t bulk = out.find("class htb 1:20");
  const size_t tokens = out.find("class htb 1:10");
  CHECK(out.find("bytes 2 pkt", bulk) < out.find("class", bulk + 1));
  CHECK(out.find("bytes 4 pkt", tokens) < out.find("class", tokens + 1));
  CHECK(out.find("rate 28200Kbit") != std::string::npos);
  CHECK(out.substr(out.find("==")).find("htb") == std::string::npos);
}

TEST_CASE("shaping: without a known rate nothing is shaped; leaves are short") {
  ShapingInput input;
  input.interface = "slw0";
  CHECK_FALSE(is_shaped(input));
  CHECK(shaping_batch(input).empty());
  input.rate_bits = 63'999;
  CHECK(shaping_batch(input).empty());
  CHECK(leaf_packets(64'000) == 16);
  CHECK(leaf_packets(12'000'000) == 100);
  CHECK(leaf_packets(10'000'000'000) == 1000);
}
