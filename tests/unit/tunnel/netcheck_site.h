// A site whose network is checked: one or two uplinks, two PoPs, an operator; each part can fail.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/tunnel/netcheck_run.h"
#include "firmware/tunnel/netcheck_text.h"
#include "tests/script/scripted_client.h"
#include "tests/unit/tunnel/where_pop.h"

namespace sluice::tunnel_test {

inline tunnel::Membership joined_membership() {
  tunnel::Membership membership;
  membership.operator_url = "https://join.example";
  membership.box_id = "0000000000000007";
  membership.instance = "0000000000000009";
  membership.credential = "secret-credential";
  membership.network = "lab";
  membership.address = ip("10.88.0.2");
  membership.prefixes = {net("10.88.0.0/24")};
  ports::WgKey key{};
  std::copy(kBoxKey.begin(), kBoxKey.end(), key.begin());
  membership.probe_key = ports::WgSecret(key);
  membership.pops = {
      {"east", "cn-east", {"192.0.2.1", "2001:db8::1"}, 51819, ip("10.88.0.1"), 51900},
      {"west", "cn-west", {"west.example"}, 51819, ip("10.88.0.9"), 51900}};
  for (const char* pop : {"east", "west"}) {
    tunnel::MemberPath path;
    path.name = {"eth0", pop, tunnel::Transport::tcp443};
    path.number = pop[0] == 'e' ? 0 : 1;
    path.lane = tunnel::Lane{};
    path.lane->port = 51820;
    path.lane->tcp_port = 443;
    membership.paths.push_back(path);
  }
  return membership;
}

struct CheckedSite : tunnel::NetcheckSink {
  CheckedSite() {
    world.names.known["west.example"] = {ip("192.0.2.2")};
    add_uplink(world.links.state, 2, "eth0", "192.168.1.9/24", "192.168.1.1");
    world.links.state.links[0].addresses.push_back(net("2001:db8:1::9/64"));
    ports::RouteState route = world.links.state.routes[0];
    route.family = IpAddress::Family::v6;
    route.to = {IpAddress::any(IpAddress::Family::v6), 0};
    route.gateway = ip("fe80::1");
    world.links.state.routes.push_back(route);
    pop.nat = ip("198.51.100.4");
    pop.hops = {"192.168.1.1", "203.0.113.1", "203.0.113.5"};
    wish.membership = joined_membership();
  }

  void on_network_checked(const tunnel::NetcheckEvidence& found) override {
    evidence = found;
    took = world.clock.now() - started;
    ++times;
    run.reset();  // from inside the callback
  }

  struct Http : ports::HttpClient {
    explicit Http(script::ScriptedClient& of) : to(of) {}
    std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                          ports::HttpCallSink& sink) override {
      return to.call(std::move(spec), sink);
    }
    script::ScriptedClient& to;
  };

  // The check, with every question of every kind answered as the site has it.
  tunnel::Netcheck check() {
    started = world.clock.now();
    tunnel::NetcheckPorts ports{world.clock,   world.calendar, world.timers,
                                world.random,  world.links,    world.datagrams,
                                world.dialers, world.names,    {}};
    ports.http = [this](ports::Dialer&) { return std::make_unique<Http>(http); };
    run = std::make_unique<tunnel::NetcheckRun>(ports, wish, *this);
    run->start();
    for (int step = 0; step < 1000 && times == 0; ++step) {
      answer_http();
      answer_tcp();
      world.pass(Duration::ms(10));
    }
    world.pass(Duration::seconds(20));
    ENSURE(times == 1 && world.datagrams.open_sockets() == 0);
    return tunnel::judge_network(*evidence);
  }
  const tunnel::NetcheckLine* line(const tunnel::Netcheck& found, const std::string& name,
                                   const std::string& subject = "") {
    for (const tunnel::NetcheckLine& one : found.lines) {
      if (one.name == name && (subject.empty() || one.subject == subject)) return &one;
    }
    return nullptr;
  }

  NetWorld world;
  WherePop pop{world};
  script::ScriptedClient http;
  int http_status = 204;  // 0: no answer
  std::string http_location;
  bool tcp_open = true;
  bool tcp_is_pop = true;
  Duration tcp_ahead;  // the date of the answer to a hello before the box's
  tunnel::NetcheckWish wish;
  std::unique_ptr<tunnel::NetcheckRun> run;
  std::optional<tunnel::NetcheckEvidence> evidence;
  Instant started;
  Duration took;
  int times = 0;

 private:
  void answer_http() {
    for (script::NodeCall& call : http.calls()) {
      if (!call.is_live() || call.status() != 0 || http_status == 0) continue;
      if (http_location.empty()) {
        call.head(http_status, {});
      } else {
        call.head(http_status, {{"Location", http_location}});
      }
      call.end();
    }
  }
  void answer_tcp() {
    for (auto& [interface, dialer] : world.dialers.by_interface) {
      for (const auto& one : dialer.asked) {
        if (one->sink != nullptr && tcp_open) {
          FakeDialer::connect(*one);
        } else if (one->sink != nullptr) {
          FakeDialer::fail(*one);
        } else if (!one->wire->closed && !one->wire->written.empty()) {
          answer_hello(*one->wire);
        }
      }
    }
  }
  void answer_hello(script::Wire& wire) const {
    const std::string question = std::exchange(wire.written, "").substr(2);
    const Result<tunnel::ProbePacket> hello = tunnel::decode_probe(question, kBoxKey);
    ENSURE(hello.has_value() && hello->lane == 0);
    tunnel::ProbePacket answer = *hello;
    answer.kind = tunnel::ProbeKind::hello_answer;
    answer.date = world.calendar.now() + tcp_ahead;
    answer.seen = 1;
    answer.seen_source = at("198.51.100.4:40000");
    const std::string key = tcp_is_pop ? kBoxKey : std::string(32, 'x');
    wire.sink->on_bytes(
        tunnel::shim_frame(tunnel::encode_probe(answer, tunnel::kProbeBytesMin, key)));
  }
};

}  // namespace sluice::tunnel_test
