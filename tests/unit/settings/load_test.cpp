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

constexpr std::string_view kGpu = "nodes:\n  - name: gpu\n    place: local\n    url: http://h:1\n";
constexpr std::string_view kCloud = "nodes:\n  - name: far\n    place: cloud\n    url: https://h\n";

std::string with(std::string_view node, std::string_view lines) {
  return std::string(node) + std::string(lines);
}

}  // namespace

TEST_CASE("load: an empty file gives the defaults") {
  const Settings settings = good("");
  CHECK(settings.start.listen.api.text() == "0.0.0.0:8080");
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
  CHECK(settings.live.limits.body_max == Bytes{16777216});
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
  CHECK(settings.start.listen.api.text() == "[::]:80");
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

TEST_CASE("load: each wrong input is told with place, key, fault and what to write") {
  struct Row {
    std::string yaml;
    std::string_view told;
  };
  const Row rows[] = {
      {"service_levels:\n  - name: default\n    ttft_ms: \"2s\"\n",
       "sluice.yaml:3: service_levels[0].ttft_ms: \"2s\" is not a whole number of milliseconds; "
       "write 2000"},
      {"sense: {scrape_ms: soon}",
       "sluice.yaml:1: sense.scrape_ms: \"soon\" is not a whole number of milliseconds; write a "
       "whole number of milliseconds from 50 to 60000, e.g. 500"},
      {"sense: {scrape_ms: 7}",
       "sluice.yaml:1: sense.scrape_ms: 7 is outside 50..60000; write a whole number of "
       "milliseconds from 50 to 60000"},
      {"sense: {scrape_ms: 0.5}",
       "sluice.yaml:1: sense.scrape_ms: \"0.5\" is not a whole number of milliseconds; write a "
       "whole number of milliseconds from 50 to 60000, e.g. 500"},
      {"limits: {body_bytes_max: 16MiB}",
       "sluice.yaml:1: limits.body_bytes_max: \"16MiB\" is not a whole number of bytes; write "
       "16777216"},
      {"valve: {margin_percent: 90%}",
       "sluice.yaml:1: valve.margin_percent: \"90%\" is not a whole number of percent; write 90"},
      {"valve: {attempts_max: [1]}",
       "sluice.yaml:1: valve.attempts_max: is a list where one value belongs; write a whole number "
       "from 1 to 10, e.g. 3"},
      {"valve: {attempts_max: {a: 1}}",
       "sluice.yaml:1: valve.attempts_max: has keys below it where one value belongs; write a "
       "whole "
       "number from 1 to 10, e.g. 3"},
      {"valve:\n  attempts_max:\n",
       "sluice.yaml:2: valve.attempts_max: has no value; write a whole number from 1 to 10, e.g. "
       "3, "
       "or remove the line"},
      {"valve: {overflow: on}",
       "sluice.yaml:1: valve.overflow: \"on\" is not one of the choices; write auto"},
      {"log: {level: loud}",
       "sluice.yaml:1: log.level: \"loud\" is not one of the choices; write debug, info, warning "
       "or "
       "error"},
      {"access: {require_key: yes}",
       "sluice.yaml:1: access.require_key: \"yes\" is neither true nor false; write true"},
      {"access: {require_key: maybe}",
       "sluice.yaml:1: access.require_key: \"maybe\" is neither true nor false; write true or "
       "false"},
      {"currency: yuan",
       "sluice.yaml:1: currency: \"yuan\" is not a currency; write three capital letters, e.g. "
       "CNY"},
      {"exchange_rates: {USD: much}",
       "sluice.yaml:1: exchange_rates.USD: \"much\" is not a number; write a number from 1e-06 to "
       "1000000"},
      {"exchange_rates: {CNY: 2}",
       "sluice.yaml:1: exchange_rates.CNY: CNY is the box's own currency; remove the line"},
      {"exchange_rates: 7.2",
       "sluice.yaml:1: exchange_rates: is not a map; write a line for each currency, e.g. USD: "
       "7.2"},
      {"state_dir: var/lib",
       "sluice.yaml:1: state_dir: \"var/lib\" is not an absolute path; write one that begins with "
       "/"},
      {"listen: {api: 8080}",
       "sluice.yaml:1: listen.api: \"8080\" is not an address and port; write numbers, e.g. "
       "0.0.0.0:8080 or [::]:8080"},
      {"listen: {page: 0.0.0.0:8081}",
       "sluice.yaml:1: listen.page: 0.0.0.0:8081 can be reached from other machines, and the page "
       "has no login; write 127.0.0.1:8081, or off"},
      {"listen: {page: 127.0.0.1:8080}",
       "sluice.yaml:1: listen.page: has the port of listen.api, 8080; write another one"},
      {"sense: {scrape_timeout_ms: 500}",
       "sluice.yaml:1: sense.scrape_timeout_ms: 500 is not less than sense.scrape_ms, 500; write "
       "at "
       "most 499"},
      {"sense: {scrape_ms: 1000}",
       "sluice.yaml:1: sense.lease_ms: 1000 is not more than sense.scrape_ms, 1000: every reading "
       "would be out of date before the next; write at least 2000"},
      {"valv: {}", "sluice.yaml:1: valv: is not a known key; did you mean \"valve\"?"},
      {"sense:\n  scrape: 500\n",
       "sluice.yaml:2: sense.scrape: is not a known key; did you mean \"scrape_ms\"?"},
      {"access: {colour: red}",
       "sluice.yaml:1: access.colour: is not a known key; write one of: require_key"},
      {"- a\n- b\n", "sluice.yaml:1: has no keys; write \"key: value\" lines below it"},
      {"valve: 3", "sluice.yaml:1: valve: has no keys; write \"key: value\" lines below it"},
      {"nodes: gpu",
       "sluice.yaml:1: nodes: is not a list; begin each element with \"- name: ...\""},
      {"nodes:\n  - name: gpu\n    place: local\n",
       "sluice.yaml:2: nodes[0].url: is missing; write \"url: ...\" here"},
      {"nodes:\n  - name: gpu\n    url: http://h\n",
       "sluice.yaml:2: nodes[0].place: is missing; write \"place: ...\" here"},
      {"nodes:\n  - name: a b\n    place: local\n    url: http://h\n",
       "sluice.yaml:2: nodes[0].name: \"a b\" is not a name; write 1 to 64 of letters, digits, - _ "
       "."},
      {"nodes:\n  - name: gpu\n    place: local\n    url: h:8000\n",
       "sluice.yaml:4: nodes[0].url: is not a URL of a node; write http://host:port or "
       "https://host[:port][/prefix]"},
      {with(kGpu, "  - name: gpu\n    place: local\n    url: http://h:2\n"),
       "sluice.yaml:5: nodes[1].name: \"gpu\" is already the name of nodes[0]; write another"},
      {with(kGpu, "    models:\n      - name: m\n        aliases: [x]\n      - name: x\n"),
       "sluice.yaml:8: nodes[0].models[1].name: \"x\" is already used by nodes[0].models[0]."
       "aliases[0]; write another name, or remove it"},
      {with(kGpu, "    models:\n      - name: m\n        aliases: [m]\n"),
       "sluice.yaml:7: nodes[0].models[0].aliases[0]: \"m\" is already used by "
       "nodes[0].models[0].name; write another name, or remove it"},
      {with(kGpu, "    models:\n      - name: m\n        aliases: [a, 'b c']\n"),
       "sluice.yaml:7: nodes[0].models[0].aliases[1]: \"b c\" is not a model name; write 1 to 256 "
       "characters without blanks"},
      {with(kGpu, "    price: {input_per_million: -1}\n"),
       "sluice.yaml:5: nodes[0].price.input_per_million: -1 is outside 0..1000000; write a number "
       "from 0 to 1000000"},
      {with(kGpu, "    price: {input_per_million: .nan}\n"),
       "sluice.yaml:5: nodes[0].price.input_per_million: \".nan\" is not a number; write a number "
       "from 0 to 1000000"},
      {with(kGpu, "    price: {currency: USD}\n"),
       "sluice.yaml:5: nodes[0].price.currency: USD has no exchange rate; write exchange_rates: "
       "{USD: <CNY for one USD>}, or prices in CNY"},
      {with(kCloud, "    data_classes: [open, home-only]\n"),
       "sluice.yaml:5: nodes[0].data_classes: lets home-only data go to a cloud node; remove "
       "home-only, or write place: local if the node stands on the site"},
      {with(kCloud, "    data_classes: [open, secret]\n"),
       "sluice.yaml:5: nodes[0].data_classes[1]: \"secret\" is not one of the choices; write open, "
       "internal or home-only"},
      {with(kCloud, "    data_classes: []\n"),
       "sluice.yaml:5: nodes[0].data_classes: is an empty list; write one or more of open, "
       "internal "
       "or home-only"},
      {with(kCloud, "    data_classes: open\n"),
       "sluice.yaml:5: nodes[0].data_classes: is not a list; write [first, second]"},
      {with(kCloud, "    credential: {file: /k, env: K}\n"),
       "sluice.yaml:5: nodes[0].credential: names both file and env; write one of them"},
      {with(kCloud, "    credential: {header: x-api-key}\n"),
       "sluice.yaml:5: nodes[0].credential: names no place of the key; write file: PATH or env: "
       "NAME"},
      {with(kCloud, "    credential: {env: K, header: Host}\n"),
       "sluice.yaml:5: nodes[0].credential.header: is not a header for a key; write "
       "authorization-bearer, or a header's name in small letters, e.g. x-api-key"},
      {"service_levels:\n  - name: a\n  - name: a\n",
       "sluice.yaml:3: service_levels[1].name: \"a\" is already the name of service_levels[0]; "
       "write another"},
      {"locked: [valv.overflow]",
       "sluice.yaml:1: locked[0]: \"valv.overflow\" is not a known key; did you mean \"valve\"?"},
      {"locked: [nodes..]",
       "sluice.yaml:1: locked[0]: \"nodes..\" is not a key; write a key of these settings or its "
       "beginning, e.g. valve.overflow or nodes"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto settings = load_text(row.yaml, "sluice.yaml");
    REQUIRE_FALSE(settings.has_value());
    CHECK(settings.error().kind == ErrorKind::refused);
    CHECK(settings.error().text == row.told);
  }
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
        "0.0.0.0:8080 or [::]:8080\n"
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
