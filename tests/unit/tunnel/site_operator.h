// The operator of a compute network with its PoPs, for tests of the site's tunnels: answers HTTP
// calls by itself, a little later, and knows lanes, keys and the dates that PoPs remember.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/http_client.h"
#include "firmware/ports/json.h"
#include "firmware/ports/wireguard.h"
#include "tests/unit/tunnel/net_world.h"

namespace sluice::site_test {

inline const std::string kProbeKey = [] {
  std::string key;
  for (char c = 1; c <= 32; ++c) key += c;
  return key;
}();

// Destroyed, its answer is not wanted any more.
struct WantedCall : ports::HttpCall {
  explicit WantedCall(std::shared_ptr<bool> of) : wanted(std::move(of)) {}
  ~WantedCall() override { *wanted = false; }
  void pause() override {}
  void resume() override {}
  std::shared_ptr<bool> wanted;
};

class ModelOperator : public ports::HttpClient {
 public:
  struct Lane {
    std::string path;  // PathName::text()
    std::string pop;
    ports::WgKey own{};   // the PoP's
    ports::WgKey peer{};  // the box's
    uint16_t port = 0;
    bool open = true;  // the PoP knows the path
  };
  struct Asked {
    std::string line;  // method and target
    std::string body;
    Instant when;
  };

  ModelOperator(const ports::Clock& clock, ports::Timers& timers) : clock_(clock), later_(timers) {}

  std::map<std::string, std::string> pops = {{"north", "192.0.2.1"}};  // name, host
  std::vector<std::string> prefixes = {"10.88.0.0/24"};
  std::string address = "10.88.0.2";
  uint16_t tcp_port = 0;  // of every lane
  std::vector<Lane> lanes;
  std::map<ports::WgKey, Date> remembered;  // the latest date of a handshake, by the box's key
  std::vector<Asked> asked;
  bool down = false;
  int status = 0;  // of every answer; 0: as it should be

  int count(std::string_view line) const {
    return static_cast<int>(std::count_if(asked.begin(), asked.end(), [line](const Asked& one) {
      return one.line.starts_with(line);
    }));
  }
  const Lane* lane(const ports::WgKey& own) const {
    for (const Lane& one : lanes) {
      if (one.own == own && one.open) return &one;
    }
    return nullptr;
  }
  // Inside the tunnel: 10.88.0.1 for the first PoP, then 10.88.0.3.
  std::string probe_address(const std::string& pop) const {
    return pop == pops.begin()->first ? "10.88.0.1" : "10.88.0.3";
  }

  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override {
    std::string body;
    if (spec.body) body = *ports::read_range(*spec.body, 0, spec.body->size());
    asked.push_back({spec.method + " " + spec.target, body, clock_.now()});
    auto wanted = std::make_shared<bool>(true);
    later_.in(Duration::ms(30), [this, wanted, &sink, one = asked.back()] {
      if (*wanted) answer(one, sink, wanted);
    });
    return std::make_unique<WantedCall>(wanted);
  }

 private:
  void answer(const Asked& one, ports::HttpCallSink& sink, const std::shared_ptr<bool>& wanted) {
    if (down) {
      return sink.on_fail({{ErrorKind::gone, "http", "connection refused"},
                           ports::HttpFailure::Stage::connect,
                           false,
                           false});
    }
    ports::HttpResponseHead head;
    head.status = status != 0 ? status : 200;
    sink.on_head(head);
    if (*wanted) sink.on_body(status != 0 ? "{}" : text_of(one));
    if (*wanted) sink.on_end();
  }
  std::string text_of(const Asked& one) {
    if (one.line.starts_with("POST /v1/join")) {
      return R"({"box_id":"00112233445566aa","credential":"cred-1",)" + news() + "}";
    }
    if (one.line.starts_with("GET ")) return "{" + news() + "}";
    if (one.line.starts_with("PUT ")) return put_peers(one.body);
    if (one.line.find("/readd") != std::string::npos) readd(one.body);
    if (one.line.starts_with("DELETE ")) lanes.clear();
    return "{}";
  }
  std::string news() const {
    ports::WgKey key{};
    std::copy(kProbeKey.begin(), kProbeKey.end(), key.begin());
    std::string list;
    for (const auto& [name, host] : pops) {
      list += fmt::format(R"({}{{"name":"{}","region":"r","hosts":["{}"],"where_port":51819,)"
                          R"("probe_address":"{}","probe_port":51900}})",
                          list.empty() ? "" : ",", name, host, probe_address(name));
    }
    std::string nets;
    for (const std::string& one : prefixes) {
      nets += fmt::format(R"({}"{}")", nets.empty() ? "" : ",", one);
    }
    return fmt::format(
        R"("network":{{"name":"lab","address":"{}","prefixes":[{}]}},"probe_key":"{}","pops":[{}])",
        address, nets, ports::wg_key_text(key), list);
  }
  Lane& lane_of(const std::string& pop, const std::string& path) {
    for (Lane& one : lanes) {
      if (one.path == path) return one;
    }
    Lane lane;
    lane.path = path;
    lane.pop = pop;
    lane.port = static_cast<uint16_t>(51821 + made_);
    lane.own.fill(static_cast<uint8_t>(0x80 + made_));
    ++made_;
    lanes.push_back(lane);
    return lanes.back();
  }
  std::string put_peers(const std::string& body) {
    const auto json = ports::parse_json(body);
    const std::string pop(json->text("pop"));
    for (Lane& one : lanes) one.open = one.open && one.pop != pop;
    std::string out;
    for (const ports::JsonValue& peer : *json->find("peers")->as_array()) {
      Lane& lane = lane_of(pop, std::string(peer.text("path")));
      lane.peer = *ports::parse_wg_key(peer.text("public_key"));
      lane.open = true;
      ports::WgKey preshared{};
      preshared.fill(7);
      out += fmt::format(
          R"({}{{"path":"{}","public_key":"{}","port":{},"tcp_port":{},"preshared_key":"{}"}})",
          out.empty() ? "" : ",", lane.path, ports::wg_key_text(lane.own), lane.port, tcp_port,
          ports::wg_key_text(preshared));
    }
    return R"({"peers":[)" + out + "]}";
  }
  void readd(const std::string& body) {
    const auto json = ports::parse_json(body);
    remembered.erase(*ports::parse_wg_key(json->text("public_key")));
  }

  const ports::Clock& clock_;
  tunnel_test::Later later_;
  int made_ = 0;
};

}  // namespace sluice::site_test
