#include "firmware/box/tunnel_text.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::box;

namespace {

ports::JsonValue json(const char* text) { return *ports::parse_json(text); }

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kTunnels = R"({
  "on": true, "joined": true, "backend": "userspace", "network": "lab", "address": "10.88.0.2",
  "prefixes": ["10.88.0.0/24"],
  "paths": [
    {"name": "wan1/pop1/udp4", "interface": "slw0", "state": "good", "since_ms": 61000,
     "mtu": 1420, "quality": {"rtt_ms": 40.25, "loss_out": 0.013, "loss_back": 0}},
    {"name": "wan2/pop1/udp4", "interface": "slw1", "state": "dead", "since_ms": 900, "mtu": 0,
     "held_ms": 5000, "trouble": {"en": "nothing answers by wan2", "zh": "wan2 没有应答"}}],
  "classes": [{"traffic": "interactive", "path": "wan1/pop1/udp4", "carries": true,
               "why": {"en": "as good as any", "zh": "与其他路径相当"}}],
  "switches": [{"time_ms": 0, "traffic": "bulk", "from": "", "to": "wan1/pop1/udp4", "gap_ms": 0,
                "packets_lost": 0, "why": {"en": "first", "zh": "首次"},
                "alternatives": ["wan2/pop1/udp4: dead"]}],
  "switches_total": 1,
  "findings": [{"en": "no answer by wan2", "zh": "wan2 没有响应"}]})";

}  // namespace

TEST_CASE("tunnel text: paths, what they carry, what is wrong and what happened") {
  const std::string text = tunnel_text(json(kTunnels), false);
  CHECK(has(text, "network lab: 10.88.0.2 here, reaches 10.88.0.0/24; WireGuard by userspace\n"));
  CHECK(has(text, "! no answer by wan2\n"));
  CHECK(has(text, "40.2 ms   1.3/0.0 %"));
  CHECK(has(text, "interactive\n"));
  CHECK(has(text, "failed repeatedly: not chosen for 5 s more\n"));
  CHECK(has(text, "      nothing answers by wan2\n"));
  CHECK(has(text, "1970-01-01T00:00:00.000Z bulk        - -> wan1/pop1/udp4"));
  CHECK(has(text, "      not wan2/pop1/udp4: dead\n"));
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    CHECK(end - at <= 100);
  }
}

TEST_CASE("tunnel text: Chinese where it was asked for") {
  const std::string text = tunnel_text(json(kTunnels), true);
  CHECK(has(text, "! wan2 没有响应\n"));
  CHECK(has(text, "interactive: 与其他路径相当\n"));
  CHECK(has(text, "      wan2 没有应答\n"));
}

TEST_CASE("tunnel text: a box without a network says what to do") {
  CHECK(has(tunnel_text(json(R"({"on":true,"joined":false})"), false), "sluiced tunnel join"));
  CHECK(has(tunnel_text(json(R"({"on":false})"), false), "tunnel.mode"));
}

TEST_CASE("drill text: what moved, when, and the verdict") {
  const std::string text =
      drill_text(json(R"({"passed":true,"words":{"en":"It moved.","zh":"已切换。"},"steps":[
        {"traffic":"interactive","from":"a","to":"b","detect_ms":310.4,"switched_ms":311,
         "probes_lost":9,"returned":true}]})"),
                 false);
  CHECK(text ==
        "  interactive a -> b: noticed after 310 ms, moved after 311 ms, 9 probes lost, returned\n"
        "It moved.\n");
}
