#include "firmware/settings/print.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "firmware/settings/describe.h"
#include "firmware/settings/exposure.h"
#include "firmware/settings/load.h"
#include "firmware/settings/reference.h"
#include "firmware/settings/schema.h"

using namespace sluice;
using namespace sluice::settings;

namespace {

constexpr std::string_view kFull =
    "listen: {page: off}\n"
    "exchange_rates: {USD: 7.2}\n"
    "service_levels:\n  - {name: fast, ttft_ms: 500}\n"
    "nodes:\n"
    "  - name: far\n    place: cloud\n    url: https://h/x\n"
    "    credential: {file: '/etc/a key', header: x-api-key}\n"
    "    models:\n      - {name: 'null', aliases: [\"say\\\"it\"]}\n"
    "    price: {currency: USD, input_per_million: 0.000000001, output_per_million: 12.5}\n"
    "  - {name: near, place: local, url: 'http://10.0.0.2:8000'}\n"
    "locked: [nodes.far]\n";

std::string root_folder() {
  const std::string here = __FILE__;
  return here.substr(0, here.rfind("tests/unit/settings/"));
}

std::string text_of(const std::string& path) {
  std::ifstream in(root_folder() + path);
  REQUIRE_MESSAGE(in.good(), path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Settings settings_of(std::string_view yaml) {
  auto settings = load_text(yaml, "sluice.yaml");
  REQUIRE_MESSAGE(settings.has_value(), settings.error().text);
  return *settings;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Every field once, with help in both languages.
class Census final : public Visitor {
 public:
  void field(const Facts& facts, const Value& value) override {
    note(facts);
    CHECK_FALSE(value.allowed_en.empty());
    CHECK_FALSE(value.allowed_zh.empty());
    ++fields;
  }
  void enter(const Facts& group) override { note(group); }
  bool enter_optional(const Facts& group, bool /*present*/) override {
    note(group);
    return true;
  }
  void leave() override {}
  void list(const Facts& facts, Elements& elements) override {
    note(facts);
    elements.add();
    elements.describe(elements.size() - 1, *this);
  }
  int fields = 0;

 private:
  void note(const Facts& facts) {
    CAPTURE(std::string(facts.key));
    CHECK_FALSE(facts.en.empty());
    CHECK_FALSE(facts.zh.empty());
  }
};

}  // namespace

TEST_CASE("print: what is printed loads again to the same settings") {
  for (std::string_view yaml : {std::string_view(""), kFull}) {
    const Settings settings = settings_of(yaml);
    const std::string printed = print_settings(settings);
    CAPTURE(printed);
    CHECK(settings_of(printed) == settings);
  }
}

TEST_CASE("print: each value tells where it comes from") {
  const auto tree = ports::parse_config(kFull, "sluice.yaml");
  REQUIRE(tree.has_value());
  const Sources sources{"sluice.yaml", {}};
  const LoadReport report = load(*tree, sources);
  const std::string printed = print_settings(report.settings, *tree, sources);
  CAPTURE(printed);
  CHECK(contains(printed, "  page: off  # sluice.yaml:1\n"));
  CHECK(contains(printed, "  api: 0.0.0.0:8080  # default\n"));
  CHECK(contains(printed, "  - name: fast  # sluice.yaml:4\n"));
  CHECK(contains(printed, "    tpot_ms: 100  # default\n"));
  CHECK(contains(printed, "      file: \"/etc/a key\"  # sluice.yaml:9\n"));
  CHECK(contains(printed, "      - name: \"null\"  # sluice.yaml:11\n"));
  CHECK(contains(printed, "    data_classes: [open, internal]  # default\n"));
  CHECK(contains(printed, "exchange_rates: {USD: 7.2}  # sluice.yaml:2\n"));
  CHECK(settings_of(printed) == report.settings);
}

TEST_CASE("describe: every field has help in English and Chinese") {
  Settings settings;
  Census census;
  describe(settings, census);
  CHECK(census.fields == 138);
}

TEST_CASE("describe: the keys that differ are found, elements by name") {
  const Settings before = settings_of(kFull);
  Settings after = before;
  after.start.listen.api->port = 9;
  after.live.valve.overflow = Mode::off;
  after.live.nodes[0].enabled = false;
  after.live.nodes.pop_back();
  CHECK(differing_keys(before, after, When::fixed) == std::vector<std::string>{"listen.api"});
  const auto keys = differing_keys(before, after, When::live);
  CHECK(std::count(keys.begin(), keys.end(), "valve.overflow") == 1);
  CHECK(std::count(keys.begin(), keys.end(), "nodes.far.enabled") == 1);
  CHECK(std::count(keys.begin(), keys.end(), "nodes.near.url") == 1);
  CHECK(std::count(keys.begin(), keys.end(), "nodes.far.url") == 0);
  CHECK(differing_keys(before, before, When::live).empty());
}

TEST_CASE("reference: the page beside the code is the one the code writes") {
  // To write the page anew: SLUICE_WRITE_REFERENCE=1 build/debug/tests/unit_settings
  const std::string path = "firmware/settings/REFERENCE.md";
  if (std::getenv("SLUICE_WRITE_REFERENCE") != nullptr) {
    std::ofstream(root_folder() + path) << reference_page();
  }
  CHECK(text_of(path) == reference_page());
}

TEST_CASE("example: the configuration that is shipped loads unchanged") {
  const Settings settings = settings_of(text_of("overlay/etc/sluice/sluice.yaml"));
  REQUIRE(settings.live.nodes.size() == 1);
  CHECK(settings.live.nodes[0].engine == "vllm");
  CHECK(settings.live.nodes[0].url == "http://127.0.0.1:8000");
  CHECK(settings.live.access.require_key);
}

TEST_CASE("example: it loads with all its commented lines switched on, too") {
  std::istringstream in(text_of("overlay/etc/sluice/sluice.yaml"));
  std::string yaml;
  for (std::string line; std::getline(in, line);) {
    const size_t mark = line.find("# ");
    const std::string rest = mark == std::string::npos ? "" : line.substr(mark + 2);
    const size_t colon = rest.find_first_of(":");
    const bool setting =
        mark != std::string::npos && mark == line.find_first_not_of(' ') &&
        (rest.rfind("- name:", 0) == 0 || rest.rfind("  ", 0) == 0 || rest.rfind("tls:", 0) == 0 ||
         rest.rfind("exchange_rates:", 0) == 0 || rest.rfind("locked:", 0) == 0 ||
         rest.rfind("accelerators:", 0) == 0 || rest.rfind("tunnel:", 0) == 0) &&
        colon != std::string::npos && rest.rfind("    sluiced", 0) != 0;
    yaml += (setting ? line.substr(0, mark) + rest : line) + "\n";
  }
  const Settings settings = settings_of(yaml);
  REQUIRE(settings.live.nodes.size() == 2);
  CHECK(settings.live.nodes[1].place == Place::cloud);
  CHECK(settings.live.nodes[1].credential->file == "/etc/sluice/keys/cloud-1.key");
  CHECK(settings.live.nodes[1].models.at(0).upstream == "Qwen/Qwen2.5-7B-Instruct");
  CHECK(settings.live.tls.certificate_file == "/etc/sluice/tls/certificate.pem");
  CHECK(settings.live.tls.key_file == "/etc/sluice/tls/key.pem");
  CHECK(settings.live.exchange_rates.size() == 1);
  CHECK(settings.locked.size() == 2);
  REQUIRE(settings.live.accelerators.exporters.size() == 1);
  CHECK(settings.live.accelerators.exporters[0].url == "http://10.0.0.5:9400");
  REQUIRE(settings.live.tunnel.uplinks.size() == 2);
  CHECK(settings.live.tunnel.uplinks[1].metered);
}

TEST_CASE("exposure: who can reach what is told") {
  CHECK(describe_exposure(settings_of("")) ==
        std::vector<std::string>{
            "listen.api 0.0.0.0:8080: open to every host that can reach this machine; an API key "
            "is required, but for /metrics, /healthz and /readyz",
            "warning: listen.api 0.0.0.0:8080 is plain HTTP: API keys and prompts are readable on "
            "the LAN; set listen.api: off to close it; HTTPS is at listen.tls",
            "listen.tls 0.0.0.0:8443: open to every host that can reach this machine; an API key "
            "is required, but for /metrics, /healthz and /readyz",
            "listen.tls: HTTPS with a certificate that the box signs itself; give "
            "/var/lib/sluice/tls/certificate.pem to the clients, or set tls.certificate_file",
            "listen.page 127.0.0.1:8081: open to programs on this machine only; it only shows (no "
            "admin.token_file)",
            "access.hosts: clients may call the box by an address, by its own name, a name without "
            "a dot, or one under .local .lan .internal .home.arpa; other names are answered 421",
            "listen.admin_socket /var/lib/sluice/admin.sock: open to local users of the service's "
            "group"});
  const auto lines = describe_exposure(
      settings_of("listen: {api: '192.168.1.5:80', tls: off, page: off}\n"
                  "access: {require_key: false, hosts: [box.example.com, '*.example.org']}\n"
                  "nodes:\n"
                  "  - {name: far, place: cloud, url: 'http://far', credential: {env: FAR}}\n"
                  "  - {name: near, place: local, url: 'http://10.0.0.2:8000'}\n"
                  "  - {name: rest, place: cloud, url: 'https://h', enabled: false}\n"));
  CHECK(
      lines ==
      std::vector<std::string>{
          "warning: listen.api 192.168.1.5:80: open to every host that can reach 192.168.1.5, "
          "without an API key (access.require_key: false)",
          "warning: listen.api 192.168.1.5:80 is plain HTTP: API keys and prompts are readable on "
          "the LAN; set listen.tls: 0.0.0.0:8443 for HTTPS, and listen.api: off",
          "listen.tls off: there is no HTTPS", "listen.page off: there is no page",
          "access.hosts: clients may call the box by an address, by its own name, a name without a "
          "dot, or one under .local .lan .internal .home.arpa, box.example.com, *.example.org; "
          "other names are answered 421",
          "listen.admin_socket /var/lib/sluice/admin.sock: open to local users of the service's "
          "group",
          "node far (cloud, http://far): receives data of the classes open, internal; key from "
          "environment variable FAR",
          "warning: node far: plain http: data and key travel unencrypted unless a tunnel carries "
          "them; write https:// if the node offers it",
          "node near (local, http://10.0.0.2:8000): receives data of the classes open, internal, "
          "home-only; no key"});
  const auto closed = describe_exposure(
      settings_of("listen: {api: off, tls: '127.0.0.1:8443'}\n"
                  "tls: {certificate_file: /etc/sluice/box.pem, key_file: /etc/sluice/box.key}\n"));
  CHECK(closed.at(0) == "listen.api off: nobody asks in plain HTTP");
  CHECK(closed.at(1) ==
        "listen.tls 127.0.0.1:8443: open to programs on this machine only; an API key is required, "
        "but for /metrics, /healthz and /readyz");
  CHECK(closed.at(2) == "listen.tls: HTTPS with the certificate in /etc/sluice/box.pem");
}
