#include "firmware/tunnel/netcheck.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/tunnel/netcheck_site.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel_test;

namespace {

Verdict verdict(CheckedSite& site, const Netcheck& found, const std::string& name,
                const std::string& subject = "") {
  const NetcheckLine* line = site.line(found, name, subject);
  REQUIRE_MESSAGE(line != nullptr, name);
  return line->verdict;
}

bool says(CheckedSite& site, const Netcheck& found, const std::string& name,
          const std::string& words) {
  const NetcheckLine* line = site.line(found, name);
  REQUIRE_MESSAGE(line != nullptr, name);
  const bool there = line->finding.en.find(words) != std::string::npos ||
                     line->advice.en.find(words) != std::string::npos;
  if (!there) MESSAGE(line->finding.en << " | " << line->advice.en);
  return there;
}

}  // namespace

TEST_CASE("netcheck: where everything answers, every line is ok") {
  CheckedSite site;
  const Netcheck found = site.check();
  for (const NetcheckLine& line : found.lines) {
    INFO(line.name << " " << line.subject << ": " << line.finding.en);
    CHECK(line.verdict == Verdict::ok);
    CHECK(line.advice.empty());
  }
  std::vector<std::string> names;
  for (const NetcheckLine& line : found.lines) names.push_back(line.name);
  CHECK(names == std::vector<std::string>{"network", "clock", "overlap", "identity", "link", "ipv4",
                                          "ipv6", "udp", "nat", "mtu", "tcp443", "portal",
                                          "latency", "latency"});
  CHECK(site.took < Duration::ms(500));
  CHECK(says(site, found, "mtu", "Packets of 1500 bytes pass; that leaves 1440 inside a tunnel."));
  CHECK(says(site, found, "nat", "seen as 198.51.100.4; one port"));
  CHECK(says(site, found, "latency", "30.0 ms by eth0."));
  CHECK(says(site, found, "ipv4", "2 of 2 addresses"));
  CHECK(says(site, found, "ipv6", "1 of 1 addresses"));
}

TEST_CASE("netcheck: UDP blocked while TCP passes is a warning that names the ports") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = false;
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "udp") == Verdict::warn);
  CHECK(says(site, found, "udp", "to ports 51819, 51820 and those of the paths"));
  CHECK(verdict(site, found, "tcp443") == Verdict::ok);
  CHECK(says(site, found, "clock", "Agrees with east within"));
  CHECK(says(site, found, "ipv4", "by TCP only"));
  CHECK(site.line(found, "nat") == nullptr);
  CHECK(site.line(found, "mtu") == nullptr);
  CHECK(says(site, found, "latency", "over TCP only"));
  CHECK(found.count(Verdict::fail) == 0);
}

TEST_CASE(
    "netcheck: where nothing of a PoP answers but the operator's web address does, a firewall") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = site.tcp_open = false;
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "udp") == Verdict::fail);
  CHECK(says(site, found, "udp", "a firewall of this site or the provider"));
  CHECK(verdict(site, found, "tcp443") == Verdict::fail);
  CHECK(verdict(site, found, "latency") == Verdict::fail);
  CHECK(verdict(site, found, "portal") == Verdict::ok);
}

TEST_CASE("netcheck: where nothing answers at all, the uplink is looked at first") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = site.tcp_open = false;
  site.http_status = 0;
  const Netcheck found = site.check();
  CHECK(says(site, found, "udp", "Does this uplink reach the internet at all?"));
  CHECK(site.took <= kNetcheckMax);
}

TEST_CASE(
    "netcheck: a captive portal is a failure with its address, and the cause of the silence") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = site.tcp_open = false;
  site.http_status = 302;
  site.http_location = "http://login.hotel.example/";
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "portal") == Verdict::fail);
  CHECK(says(site, found, "portal", "http://login.hotel.example/"));
  CHECK(says(site, found, "udp", "captive portal"));
}

TEST_CASE("netcheck: TCP that ends at a stranger is told from TCP that is closed") {
  CheckedSite stranger;
  stranger.tcp_is_pop = false;
  const Netcheck by_stranger = stranger.check();
  CHECK(verdict(stranger, by_stranger, "tcp443") == Verdict::warn);
  CHECK(says(stranger, by_stranger, "tcp443", "is not the PoP"));
  CheckedSite closed;
  closed.tcp_open = false;
  const Netcheck by_closed = closed.check();
  CHECK(verdict(closed, by_closed, "tcp443") == Verdict::warn);
  CHECK(says(closed, by_closed, "tcp443", "port 443 (connection refused)"));
}

TEST_CASE("netcheck: IPv6 that leads nowhere is a warning, its absence is none") {
  CheckedSite dead;
  dead.pop.v6 = false;
  const Netcheck by_dead = dead.check();
  CHECK(verdict(dead, by_dead, "ipv6") == Verdict::warn);
  CHECK(verdict(dead, by_dead, "udp") == Verdict::ok);
  CheckedSite none;
  none.world.links.state.links[0].addresses.pop_back();
  const Netcheck by_none = none.check();
  CHECK(verdict(none, by_none, "ipv6") == Verdict::ok);
  CHECK(says(none, by_none, "ipv6", "No IPv6 here; IPv4 is used."));
}

TEST_CASE("netcheck: sizes: PPPoE is fine, a tunnel below 1280 is not, a black hole fails") {
  CheckedSite pppoe;
  pppoe.pop.mtu = 1492;
  const Netcheck by_pppoe = pppoe.check();
  CHECK(verdict(pppoe, by_pppoe, "mtu") == Verdict::ok);
  CHECK(
      says(pppoe, by_pppoe, "mtu", "1492 bytes pass (the interface takes 1500); that leaves 1432"));
  CheckedSite small;
  small.pop.mtu = 1320;
  CHECK(verdict(small, small.check(), "mtu") == Verdict::warn);
  CheckedSite hole;
  hole.pop.mtu = 300;
  const Netcheck by_hole = hole.check();
  CHECK(verdict(hole, by_hole, "mtu") == Verdict::fail);
  CHECK(says(hole, by_hole, "mtu", "Only small packets come back"));
}

TEST_CASE("netcheck: address translation is named, twice is a warning") {
  CheckedSite none;
  none.pop.nat.reset();
  CHECK(says(none, none.check(), "nat", "None: PoPs see this box's own address 192.168.1.9."));
  CheckedSite hard;
  hard.pop.hard_nat = true;
  const Netcheck by_hard = hard.check();
  CHECK(verdict(hard, by_hard, "nat") == Verdict::ok);
  CHECK(says(hard, by_hard, "nat", "another port for each destination"));
  CheckedSite twice;
  twice.pop.hops = {"192.168.1.1", "100.64.0.1"};
  const Netcheck by_twice = twice.check();
  CHECK(verdict(twice, by_twice, "nat") == Verdict::warn);
  CHECK(says(twice, by_twice, "nat", "translated twice (hops 192.168.1.1, 100.64.0.1)"));
}

TEST_CASE("netcheck: a clock ahead fails beyond ten seconds, one behind beyond a minute") {
  struct Case {
    int seconds;  // the PoP before the box
    Verdict verdict;
    const char* words;
  };
  for (const Case& one :
       {Case{-5, Verdict::ok, "5.0 s ahead of"}, Case{-11, Verdict::fail, "ahead"},
        Case{50, Verdict::ok, "50 s behind"}, Case{70, Verdict::fail, "70 s behind"},
        Case{-31'536'000, Verdict::fail, "365 days ahead of"}}) {
    CheckedSite site;
    site.pop.ahead = Duration::seconds(one.seconds);
    const Netcheck found = site.check();
    CHECK(verdict(site, found, "clock") == one.verdict);
    CHECK(says(site, found, "clock", one.words));
  }
}

TEST_CASE("netcheck: without a PoP's date a clock before the floor fails") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = site.tcp_open = false;
  site.wish.floor = site.world.calendar.now() + Duration::seconds(7200);
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "clock") == Verdict::fail);
  CHECK(says(site, found, "clock", "2 h before one that has certainly been"));
}

TEST_CASE("netcheck: a cloned identity is a failure with the cure") {
  CheckedSite site;
  site.pop.cloned = true;
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "identity") == Verdict::fail);
  CHECK(says(site, found, "identity", "is a copy"));
}

TEST_CASE("netcheck: an overlap with the site's own net is a failure") {
  CheckedSite site;
  site.wish.membership->prefixes = {net("192.168.0.0/16")};
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "overlap") == Verdict::fail);
  const NetcheckLine* line = site.line(found, "overlap");
  CHECK_FALSE(line->finding.zh.empty());
}

TEST_CASE("netcheck: a box that has not joined learns what can be told, and what cannot") {
  CheckedSite site;
  site.wish.membership.reset();
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "network") == Verdict::unknown);
  CHECK(verdict(site, found, "link") == Verdict::ok);
  CHECK(verdict(site, found, "ipv4") == Verdict::ok);
  CHECK(verdict(site, found, "portal") == Verdict::unknown);
  CHECK(site.line(found, "clock") == nullptr);
  CHECK(site.line(found, "udp") == nullptr);
  CHECK(site.world.datagrams.sent.empty());
  CheckedSite with_url;
  with_url.wish.membership.reset();
  with_url.wish.check_url = "http://check.example/generate_204";
  CHECK(verdict(with_url, with_url.check(), "portal") == Verdict::ok);
  CHECK(with_url.http.last().spec.target == "/generate_204");
}

TEST_CASE("netcheck: an imported configuration is asked nothing outside the tunnel") {
  CheckedSite site;
  site.wish.membership->probe_key = {};
  site.wish.membership->credential.clear();
  site.wish.membership->operator_url.clear();
  const Netcheck found = site.check();
  CHECK(says(site, found, "network", "pasted configuration"));
  CHECK(verdict(site, found, "overlap") == Verdict::ok);
  CHECK(site.world.datagrams.sent.empty());
}

TEST_CASE("netcheck: a membership that cannot be read fails with what to do") {
  CheckedSite site;
  site.wish.membership.reset();
  site.wish.membership_trouble = "permission denied";
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "network") == Verdict::fail);
  CHECK(says(site, found, "network", "sudo sluiced netcheck"));
}

TEST_CASE("netcheck: a dead uplink beside a good one is a warning, alone a failure") {
  CheckedSite two;
  add_uplink(two.world.links.state, 3, "wwan0", "10.1.1.2/30", "10.1.1.1");
  two.world.links.state.links[1].carrier = false;
  const Netcheck by_two = two.check();
  CHECK(verdict(two, by_two, "link", "eth0") == Verdict::ok);
  CHECK(verdict(two, by_two, "link", "wwan0") == Verdict::warn);
  CHECK(two.line(by_two, "udp", "wwan0") == nullptr);
  CheckedSite one;
  one.world.links.state.links[0].carrier = false;
  CHECK(verdict(one, one.check(), "link") == Verdict::fail);
  CheckedSite none;
  none.world.links.state = {};
  CHECK(verdict(none, none.check(), "uplinks") == Verdict::fail);
  CheckedSite blind;
  blind.world.links.fails = Error{ErrorKind::unsupported, "netlink", "no netlink here"};
  const Netcheck by_blind = blind.check();
  CHECK(says(blind, by_blind, "uplinks", "no netlink here"));
}

TEST_CASE("netcheck: two uplinks are asked beside each other, each by its own interface") {
  CheckedSite site;
  add_uplink(site.world.links.state, 3, "wwan0", "10.1.1.2/30", "10.1.1.1");
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "udp", "eth0") == Verdict::ok);
  CHECK(verdict(site, found, "udp", "wwan0") == Verdict::ok);
  CHECK(says(site, found, "latency", "30.0 ms by eth0, 30.0 ms by wwan0."));
  std::set<std::string> interfaces;
  for (const auto& sent : site.world.datagrams.sent) interfaces.insert(sent.spec.way.interface);
  CHECK(interfaces == std::set<std::string>{"eth0", "wwan0"});
  CHECK(site.world.dialers.by_interface.size() == 2);
  CHECK(site.took < Duration::ms(500));
}

TEST_CASE("netcheck: a name server that is silent costs two seconds, not the check") {
  CheckedSite site;
  site.world.names.silent = true;
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "latency", "west") == Verdict::fail);
  CHECK(says(site, found, "latency", "did not answer in time"));
  CHECK(site.took <= kNetcheckNames + Duration::ms(20));
}

TEST_CASE("netcheck: a name that is not there is told of its PoP, others are asked") {
  CheckedSite site;
  site.world.names.known.clear();
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "latency", "west") == Verdict::warn);
  CHECK(verdict(site, found, "latency", "east") == Verdict::ok);
}

TEST_CASE("netcheck: a PoP that is far is a warning") {
  CheckedSite site;
  site.pop.round_trip = Duration::ms(230);
  CHECK(verdict(site, site.check(), "latency", "east") == Verdict::warn);
}

TEST_CASE("netcheck: the time of the whole check is bounded, and what is missing is said") {
  CheckedSite site;
  site.http_status = 0;  // the scripted client has no time-out of its own
  const Netcheck found = site.check();
  CHECK(site.took == kNetcheckMax);
  CHECK(verdict(site, found, "time") == Verdict::unknown);
  CHECK(verdict(site, found, "udp") == Verdict::ok);
}

TEST_CASE("netcheck: no line ever holds a secret") {
  for (const bool blocked : {false, true}) {
    CheckedSite site;
    site.pop.v4 = site.pop.v6 = site.tcp_is_pop = !blocked;
    const std::string text = ports::to_json(netcheck_json(site.check()));
    CHECK(text.find("secret-credential") == std::string::npos);
    CHECK(text.find(std::string(8, 'k')) == std::string::npos);
  }
}

TEST_CASE("netcheck: where UDP is blocked the clock is compared by the answer to the hello") {
  CheckedSite site;
  site.pop.v4 = site.pop.v6 = false;
  site.tcp_ahead = Duration::seconds(-3600);
  const Netcheck found = site.check();
  CHECK(verdict(site, found, "clock") == Verdict::fail);
  CHECK(says(site, found, "clock", "60 min ahead of"));
}
