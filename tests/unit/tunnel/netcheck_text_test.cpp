#include "firmware/tunnel/netcheck_text.h"

#include <doctest/doctest.h>

#include "tests/unit/tunnel/netcheck_site.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel_test;

namespace {

// A site in trouble: long findings, advice, both languages.
Netcheck troubled() {
  CheckedSite site;
  add_uplink(site.world.links.state, 3, "wwan0", "10.1.1.2/30", "10.1.1.1");
  site.world.links.state.links[1].carrier = false;
  site.pop.v4 = site.pop.v6 = site.tcp_open = false;
  site.http_status = 302;
  site.http_location = "http://login.hotel.example/" + std::string(70, 'x');
  site.world.names.known.clear();
  return site.check();
}

}  // namespace

TEST_CASE("netcheck text: no line is wider than a terminal of 80 columns, in either language") {
  for (const Language language : {Language::en, Language::zh}) {
    const std::string text = netcheck_text(troubled(), language);
    for (const std::string_view line : split(text, '\n')) {
      INFO(std::string(line));
      if (line.find("http://") == std::string_view::npos) CHECK(columns(line) <= 80);
    }
  }
}

TEST_CASE("netcheck text: every line has words in both languages, advice in both or none") {
  CheckedSite good;
  for (const Netcheck& check : {troubled(), good.check()}) {
    for (const NetcheckLine& line : check.lines) {
      INFO(line.name);
      CHECK_FALSE(line.finding.en.empty());
      CHECK_FALSE(line.finding.zh.empty());
      CHECK(line.advice.en.empty() == line.advice.zh.empty());
      for (const std::string* en : {&line.finding.en, &line.advice.en}) {
        for (const char c : *en) CHECK((c >= ' ' && c <= '~'));
      }
    }
  }
}

TEST_CASE("netcheck text: a failure is marked, its advice stands below it, the sum at the end") {
  const std::string text = netcheck_text(troubled(), Language::en);
  CHECK(text.starts_with("this box\n  ok    network   Joined the network \"lab\".\n"));
  CHECK(text.find("\nuplink eth0\n  ok    link      eth0: ") != std::string::npos);
  CHECK(
      text.find("\n  FAIL  udp       Blocked, most likely by the captive portal (see below).\n") !=
      std::string::npos);
  CHECK(text.find("\n                  -> Open that page with a browser") != std::string::npos);
  CHECK(text.find("\npoints of presence\n  FAIL  east      ") != std::string::npos);
  CHECK(text.ends_with("5 fail, 1 warning, 3 could not be checked.\n"));
}

TEST_CASE("netcheck text: a check without trouble says so in one line") {
  CheckedSite site;
  CHECK(netcheck_text(site.check(), Language::en).ends_with("\nNothing fails.\n"));
  CheckedSite again;
  CHECK(netcheck_text(again.check(), Language::zh).ends_with("\n没有故障。\n"));
}

TEST_CASE("netcheck text: JSON carries verdicts, figures and both languages") {
  CheckedSite site;
  const Result<ports::JsonValue> read =
      ports::parse_json(ports::to_json(netcheck_json(site.check())));
  REQUIRE(read);
  CHECK(read->text("verdict") == "ok");
  CHECK(read->integer("fail") == 0);
  bool seen = false;
  for (const ports::JsonValue& line : *read->find("checks")->as_array()) {
    if (line.text("name") != "mtu") continue;
    seen = true;
    CHECK(line.text("group") == "uplink");
    CHECK(line.text("subject") == "eth0");
    CHECK(line.find("figures")->integer("ipv4_bytes") == 1500);
    CHECK(line.find("figures")->integer("inside_bytes") == 1440);
    CHECK(line.find("finding")->text("zh").find("1500") != std::string_view::npos);
  }
  CHECK(seen);
  CHECK(netcheck_json(troubled()).text("verdict") == "fail");
}

TEST_CASE("netcheck text: columns count Chinese twice, and lines break where they may") {
  CHECK(columns("abc") == 3);
  CHECK(columns("隧道") == 4);
  CHECK(columns("a隧，b") == 6);
  CHECK(wrapped("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrapped("abcdefghij k", 4) == std::vector<std::string>{"abcdefghij", "k"});
  CHECK(wrapped("隧道可用，请检查。", 9) == std::vector<std::string>{"隧道可", "用，请检", "查。"});
  CHECK(wrapped("", 10).empty());
  const std::string bad("\xe9\x9a", 2);
  CHECK(wrapped(bad, 10) == std::vector<std::string>{bad});
}
