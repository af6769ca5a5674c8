#include <doctest/doctest.h>

#include "firmware/web/tunnel_json.h"
#include "firmware/web/tunnel_metrics.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;

namespace {

Instant at(int64_t seconds) { return Instant::from_us(seconds * 1'000'000); }

tunnel::TunnelReport report() {
  tunnel::TunnelReport report;
  report.on = true;
  report.joined = true;
  report.backend = "userspace";
  report.network = "lab";
  report.address = "10.88.0.2";
  report.prefixes = {"10.88.0.0/24"};
  tunnel::PathView path;
  path.name = {"wan1", "pop1", tunnel::Transport::udp4};
  path.number = 3;
  path.state = tunnel::PathState::good;
  path.since = at(10);
  path.proof = at(19);
  path.mtu = 1420;
  path.quality.rtt = Duration::ms(40);
  path.quality.loss_back = 0.25;
  path.quality.probes = 75;
  report.paths.push_back(path);
  path.name.uplink = "wan2";
  path.number = 4;
  path.state = tunnel::PathState::dead;
  path.quality = {};
  path.proof.reset();
  path.trouble = "nothing answers";
  path.trouble_zh = "没有响应";
  report.paths.push_back(path);
  report.classes.push_back(
      {tunnel::TrafficClass::interactive, "wan1/pop1/udp4", true, {"as good as any", "很好"}});
  report.switches_total = 2;
  report.belt = tunnel::BeltCounters{5, 0, 1};
  return report;
}

}  // namespace

TEST_CASE("tunnel json: a path says its state, its figures and what troubles it") {
  const ports::JsonValue value = tunnels_value(report(), at(20));
  const auto& paths = *value.find("paths")->as_array();
  CHECK(value.find("stopped_packets")->integer("sent") == 5);
  CHECK(paths[0].text("name") == "wan1/pop1/udp4");
  CHECK(paths[0].text("interface") == "slw3");
  CHECK(paths[0].text("state") == "good");
  CHECK(paths[0].integer("since_ms") == 10'000);
  CHECK(paths[0].integer("proof_age_ms") == 1000);
  CHECK(paths[0].find("quality")->number("rtt_ms") == doctest::Approx(40));
  CHECK(paths[0].find("quality")->number("loss_back") == doctest::Approx(0.25));
  CHECK(paths[1].find("quality") == nullptr);
  CHECK(paths[1].find("proof_age_ms") == nullptr);
  CHECK(paths[1].find("trouble")->text("zh") == "没有响应");
  CHECK((*value.find("classes")->as_array())[0].find("why")->text("zh") == "很好");
}

TEST_CASE("tunnel metrics: only what is known has a series") {
  MetricsText page;
  write_tunnels(page, report(), at(20));
  const std::string text = page.take();
  const auto has = [&text](const char* line) { return text.find(line) != std::string::npos; };
  CHECK(has("sluice_path_up{path=\"wan1/pop1/udp4\",uplink=\"wan1\",pop=\"pop1\"} 1\n"));
  CHECK(has("sluice_path_up{path=\"wan2/pop1/udp4\",uplink=\"wan2\",pop=\"pop1\"} 0\n"));
  CHECK(
      has("sluice_path_rtt_seconds{path=\"wan1/pop1/udp4\",uplink=\"wan1\",pop=\"pop1\"} 0.04\n"));
  CHECK_FALSE(has("sluice_path_rtt_seconds{path=\"wan2"));
  CHECK(has("sluice_path_carries{traffic=\"interactive\",path=\"wan1/pop1/udp4\"} 1\n"));
  CHECK(has("sluice_path_switches_total 2\n"));
  CHECK(has("sluice_tunnel_stopped_packets_total{way=\"sent\"} 5\n"));
  CHECK(has("sluice_tunnel_stopped_packets_total{way=\"came_in\"} 1\n"));
  MetricsText none;
  write_tunnels(none, {}, at(20));
  CHECK(none.take().empty());
}

TEST_CASE(
    "tunnel commands: each is asked for by its name, an unknown one is refused with the list") {
  DoorUnderTest door(Door::admin_socket);
  CHECK(door.ask("POST", "/api/v1/tunnel/join", {}, R"({"url":"https://op","token":"t"})").status ==
        200);
  CHECK(door.ask("POST", "/api/v1/tunnel/rotate").status == 200);
  CHECK(door.ask("POST", "/api/v1/tunnel/leave").status == 200);
  door.tunnels.drilled.passed = true;
  CHECK(door.ask("POST", "/api/v1/tunnel/rehearse").body.find("\"passed\":true") !=
        std::string::npos);
  CHECK(door.tunnels.asked ==
        std::vector<std::string>{"join https://op by command line", "rotate", "leave", "rehearse"});
  const auto refused = door.ask("POST", "/api/v1/tunnel/destroy");
  CHECK(refused.status == 400);
  CHECK(refused.body.find("join, import, rotate, leave or rehearse") != std::string::npos);
  door.tunnels.answer = Error{ErrorKind::refused, "tunnel", "the token was used before"};
  CHECK(door.ask("POST", "/api/v1/tunnel/join", {}, "{}").body.find("was used before") !=
        std::string::npos);
}

TEST_CASE("tunnel view: everybody at the page's door may look, commands need the token") {
  DoorUnderTest door;
  door.tunnels.report = report();
  const auto seen = door.ask("GET", "/api/v1/tunnel");
  CHECK(seen.status == 200);
  CHECK(seen.body.find("\"network\":\"lab\"") != std::string::npos);
  CHECK(door.ask("POST", "/api/v1/tunnel/leave").status == 401);
  CHECK(door.tunnels.asked.empty());
}
