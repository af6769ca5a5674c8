#include "firmware/settings/load.h"

#include <doctest/doctest.h>

#include "firmware/settings/text_rules.h"

using namespace sluice;
using namespace sluice::settings;

namespace {

Settings good(std::string_view yaml) {
  auto settings = load_text(yaml, "sluice.yaml");
  REQUIRE_MESSAGE(settings.has_value(), settings.error().text);
  return *settings;
}

constexpr std::string_view kCloud = "nodes:\n  - name: far\n    place: cloud\n    url: https://h\n";

std::string with(std::string_view node, std::string_view lines) {
  return std::string(node) + std::string(lines);
}

}  // namespace

TEST_CASE("load: an empty file gives the defaults") {
  const Settings settings = good("");
  CHECK(settings.start.listen.api->text() == "0.0.0.0:8080");
  REQUIRE(settings.start.listen.page.has_value());
  CHECK(settings.start.listen.page->text() == "127.0.0.1:8081");
  CHECK(settings.start.listen.admin_socket == "/var/lib/sluice/admin.sock");
  CHECK(settings.start.currency.text() == "CNY");
  CHECK(settings.live.access.require_key);
  REQUIRE(settings.live.service_levels.size() == 1);
  CHECK(settings.live.service_levels[0].name == "default");
  CHECK(settings.live.service_levels[0].ttft == Duration::ms(2000));
  CHECK(settings.live.service_levels[0].tpot == Duration::ms(100));
  CHECK(settings.live.valve.overflow == Mode::automatic);
  CHECK(settings.live.sense.scrape == Duration::ms(500));
  CHECK(settings.live.limits.body_max == Bytes{104857600});
  CHECK(settings.live.nodes.empty());
}

TEST_CASE("load: every kind of value is read") {
  const Settings settings = good(
      "listen: {api: '[::]:80', page: off}\n"
      "state_dir: /srv/s\n"
      "log:\n  level: debug\n"
      "currency: EUR\n"
      "exchange_rates: {USD: 0.9, CNY: 0.125}\n"
      "access: {require_key: false}\n"
      "service_levels:\n  - {name: fast, ttft_ms: 500}\n"
      "valve: {overflow: off, carbon_price_per_kg: 0.08, expected_output_tokens: 99}\n"
      "limits: {body_bytes_max: 2048}\n"
      "locked: [valve, nodes.a]\n");
  CHECK(settings.start.listen.api->text() == "[::]:80");
  CHECK_FALSE(settings.start.listen.page.has_value());
  CHECK(settings.start.listen.admin_socket == "/srv/s/admin.sock");
  CHECK(settings.live.log_level == LogLevel::debug);
  CHECK(settings.start.currency.text() == "EUR");
  CHECK(settings.live.exchange_rates.size() == 2);
  CHECK_FALSE(settings.live.access.require_key);
  REQUIRE(settings.live.service_levels.size() == 2);
  CHECK(settings.live.service_levels[0].name == "fast");
  CHECK(settings.live.service_levels[0].tpot == Duration::ms(100));
  CHECK(settings.live.service_levels[1].name == "default");
  CHECK(settings.live.valve.overflow == Mode::off);
  CHECK(settings.live.valve.carbon_price_per_kg == Money{80000000});
  CHECK(settings.live.valve.expected_output == Tokens{99});
  CHECK(settings.live.limits.body_max == Bytes{2048});
  CHECK(settings.locked == std::vector<std::string>{"valve", "nodes.a"});
}

TEST_CASE("load: a node is read whole, and what follows from it is filled in") {
  const Settings settings = good(
      "exchange_rates: {USD: 7.2}\n"
      "nodes:\n"
      "  - name: far.1\n    place: cloud\n    engine: vllm\n    url: https://api.example.com/x\n"
      "    enabled: false\n"
      "    credential: {env: FAR_KEY, header: x-api-key}\n"
      "    models:\n      - {name: a/b, aliases: [c, 'd:7b']}\n      - {name: e, upstream: E}\n"
      "    price: {currency: USD, input_per_million: 0.15, output_per_million: 2}\n"
      "    carbon_g_per_million_tokens: 12.5\n"
      "    data_classes: [open]\n"
      "    limits: {concurrency: 7, requests_per_minute: 60}\n"
      "    untried_concurrency: 3\n    ca_file: /etc/ca.pem\n"
      "  - name: near\n    place: local\n    url: http://10.0.0.2:8000\n");
  const NodeSettings& far = settings.live.nodes.at(0);
  CHECK(far.name == "far.1");
  CHECK(far.place == Place::cloud);
  CHECK_FALSE(far.enabled);
  REQUIRE(far.credential.has_value());
  CHECK(far.credential->env == "FAR_KEY");
  CHECK(far.credential->header == "x-api-key");
  CHECK(far.models.at(0).upstream == "a/b");
  CHECK(far.models.at(0).aliases == std::vector<std::string>{"c", "d:7b"});
  CHECK(far.models.at(1).upstream == "E");
  CHECK(far.price.input_per_million == Money{150000000});
  CHECK(far.data_classes == std::vector<DataClass>{DataClass::open});
  CHECK(far.concurrency_limit == 7);
  const NodeSettings& near = settings.live.nodes.at(1);
  CHECK_FALSE(near.credential.has_value());
  CHECK(near.price.currency->text() == "CNY");
  CHECK(near.data_classes.size() == 3);
}

TEST_CASE("load: a cloud node gets open and internal data by default, never home-only") {
  const Settings settings = good(kCloud);
  CHECK(settings.live.nodes.at(0).data_classes ==
        std::vector<DataClass>{DataClass::open, DataClass::internal});
}

TEST_CASE("load: groups and lists whose lines are all commented out are the defaults") {
  CHECK(good("valve:\nnodes:\nexchange_rates:\nlocked:\n") == good(""));
}

TEST_CASE("load: a key written into the file is refused and never repeated") {
  const std::string rows[] = {
      with(kCloud, "    api_key: sk-hidden\n"),
      with(kCloud, "    token: sk-hidden\n"),
      with(kCloud, "    credential: sk-hidden\n"),
      with(kCloud, "    credential: {file: sk-hidden}\n"),
      with(kCloud, "    credential: {env: sk-hidden}\n"),
      with(kCloud, "    credential: {key: sk-hidden}\n"),
      with(kCloud, "    credential: {env: K, header: 'Bearer sk-hidden'}\n"),
      "admin: {token_file: sk-hidden}\n",
      "admin: {token: sk-hidden}\n",
      "nodes:\n  - {name: a, place: cloud, url: 'https://me:sk-hidden@h'}\n",
      "nodes:\n  - {name: a, place: cloud, url: 'https://h/?key=sk-hidden'}\n",
  };
  for (const std::string& yaml : rows) {
    CAPTURE(yaml);
    const auto settings = load_text(yaml, "sluice.yaml");
    REQUIRE_FALSE(settings.has_value());
    CHECK(settings.error().text.find("sk-hidden") == std::string::npos);
    CHECK(settings.error().text.find("; ") != std::string::npos);
  }
  CHECK(load_text(rows[0], "sluice.yaml").error().text ==
        "sluice.yaml:5: nodes[0].api_key: a key never stands in the settings; put it into a file "
        "that only the service may read and write credential: {file: PATH}, or credential: {env: "
        "NAME}");
}

TEST_CASE("load: several problems are told together, in the order of the file") {
  const auto settings =
      load_text("valve: {overflow: on}\nlisten: {api: x}\nsense: {scrap_ms: 1}\n", "sluice.yaml");
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().text ==
        "sluice.yaml:1: valve.overflow: \"on\" is not one of the choices; write auto\n"
        "sluice.yaml:2: listen.api: \"x\" is not an address and port; write numbers, e.g. "
        "0.0.0.0:8080 or [::]:8080, or off\n"
        "sluice.yaml:3: sense.scrap_ms: is not a known key; did you mean \"scrape_ms\"?");
}

TEST_CASE("load: at most twenty problems are told, and the rest is counted") {
  std::string yaml = "nodes:\n";
  for (int i = 0; i < 23; ++i) {
    yaml += "  - {name: n" + std::to_string(i) + ", place: local, url: nowhere}\n";
  }
  const auto settings = load_text(yaml, "sluice.yaml");
  REQUIRE_FALSE(settings.has_value());
  const std::string& text = settings.error().text;
  CHECK(text.find("nodes[19].url") != std::string::npos);
  CHECK(text.find("nodes[20].url") == std::string::npos);
  CHECK(text.substr(text.rfind('\n') + 1) == "... and 3 more");
}

TEST_CASE("load: a wrong field is not blamed twice") {
  const auto settings = load_text("sense: {scrape_ms: x, scrape_timeout_ms: 900}", "sluice.yaml");
  REQUIRE_FALSE(settings.has_value());
  CHECK(settings.error().text.find("scrape_timeout_ms") == std::string::npos);
}

TEST_CASE("text rules: numeric listen addresses only") {
  CHECK(parse_listen_address("127.0.0.1:0")->text() == "127.0.0.1:0");
  CHECK(parse_listen_address("[::1]:65535")->text() == "[::1]:65535");
  CHECK(parse_listen_address("[fe80::1:2]:1").has_value());
  CHECK(parse_listen_address("[1:2:3:4:5:6:7:8]:1").has_value());
  for (const char* wrong :
       {"", ":80", "localhost:80", "*:80", "1.2.3:80", "1.2.3.256:80", "1.2.3.4",
        "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "::1:80", "[::1]80", "[1::2::3]:80",
        "[1:2:3]:80", "[12345::]:80", "[:::]:80", "[]:80", "[1:2:3:4:5:6:7:8::]:80", "1..2.3:80"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_listen_address(wrong).has_value());
  }
  CHECK(is_loopback(*parse_listen_address("127.1.2.3:1")));
  CHECK(is_loopback(*parse_listen_address("[::1]:1")));
  CHECK_FALSE(is_loopback(*parse_listen_address("128.0.0.1:1")));
}

TEST_CASE("text rules: times and sizes with units are understood for advice") {
  CHECK(meant_milliseconds("1.5 min") == 90000);
  CHECK(meant_milliseconds("250ms") == 250);
  CHECK_FALSE(meant_milliseconds("250").has_value());
  CHECK_FALSE(meant_milliseconds("1e9 fortnights").has_value());
  CHECK(meant_bytes("1 GiB") == 1073741824);
  CHECK_FALSE(meant_bytes("-1k").has_value());
}
