#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "firmware/settings/load.h"

using namespace sluice;
using namespace sluice::settings;

namespace {

constexpr std::string_view kGpu = "nodes:\n  - name: gpu\n    place: local\n    url: http://h:1\n";
constexpr std::string_view kCloud = "nodes:\n  - name: far\n    place: cloud\n    url: https://h\n";

std::string with(std::string_view node, std::string_view lines) {
  return std::string(node) + std::string(lines);
}

struct Row {
  std::string yaml;
  std::string_view told;  // place, key, fault and what to write
};

void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.yaml);
    const auto settings = load_text(row.yaml, "sluice.yaml");
    REQUIRE_FALSE(settings.has_value());
    CHECK(settings.error().kind == ErrorKind::refused);
    CHECK(settings.error().text == row.told);
  }
}

}  // namespace

TEST_CASE("wrong input: numbers and choices are told exactly") {
  check_rows({
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
      {"valve: {attempts_max: }",
       "sluice.yaml:1: valve.attempts_max: has no value; write a whole number from 1 to 10, e.g. "
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
  });
}

TEST_CASE("wrong input: texts, and fields that must fit each other are told exactly") {
  check_rows({
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
       "0.0.0.0:8080 or [::]:8080, or off"},
      {"listen: {api: off, tls: off}",
       "sluice.yaml:1: listen.tls: is off, and listen.api too: no application could ask; write an "
       "address for one of them, e.g. tls: 0.0.0.0:8443"},
      {"listen: {tls: 127.0.0.1:8080}",
       "sluice.yaml:1: listen.tls: has the port of listen.api, 8080; write another one"},
      {"listen: {page: 127.0.0.1:8443}",
       "sluice.yaml:1: listen.page: has the port of listen.tls, 8443; write another one"},
      {"tls: {certificate_file: /a.pem}",
       "sluice.yaml:1: tls.certificate_file: stands alone; write tls.key_file too, or neither: "
       "then "
       "the box makes a certificate of its own"},
      {"tls: {key_file: /a.key}",
       "sluice.yaml:1: tls.key_file: stands alone; write tls.certificate_file too, or neither: "
       "then "
       "the box makes a certificate of its own"},
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
      {"tunnel: {port_rotation_ms: 29999}",
       "sluice.yaml:1: tunnel.port_rotation_ms: would change ports all the time; write 30000 or "
       "more, or 0 to change one only when it is needed"},
  });
}

TEST_CASE("wrong input: keys and shapes are told exactly") {
  check_rows({
      {"valv: {}", "sluice.yaml:1: valv: is not a known key; did you mean \"valve\"?"},
      {"sense:\n  scrape: 500\n",
       "sluice.yaml:2: sense.scrape: is not a known key; did you mean \"scrape_ms\"?"},
      {"access: {colour: red}",
       "sluice.yaml:1: access.colour: is not a known key; write one of: require_key, hosts"},
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
  });
}

TEST_CASE("wrong input: accelerators are told exactly") {
  check_rows({
      {"accelerators: {host: maybe}",
       "sluice.yaml:1: accelerators.host: \"maybe\" is not one of the choices; write auto, on "
       "or off"},
      {"accelerators: {nvml_library: ../libnvidia-ml.so.1}",
       "sluice.yaml:1: accelerators.nvml_library: \"../libnvidia-ml.so.1\" is no absolute path and "
       "no name of a library; write e.g. libnvidia-ml.so.1"},
      {"accelerators:\n  exporters:\n    - {name: a, url: \"http://h:1\"}\n"
       "    - {name: a, url: \"http://h:2\"}\n",
       "sluice.yaml:4: accelerators.exporters[1].name: \"a\" is already the name of "
       "accelerators.exporters[0]; write another"},
      {"accelerators:\n  exporters:\n    - {name: a}\n",
       "sluice.yaml:3: accelerators.exporters[0].url: is missing; write \"url: ...\" here"},
  });
}

TEST_CASE("wrong input: names and prices of nodes are told exactly") {
  check_rows({
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
  });
}

TEST_CASE("wrong input: data classes, credentials and locks are told exactly") {
  check_rows({
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
  });
}
