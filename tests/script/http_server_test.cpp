// All connections of one listener: their number, and their end.
#include "firmware/proxy/http_server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "drivers/http1/http1_parsers.h"
#include "tests/script/fake_stream.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"

namespace sluice::script {

namespace {

struct Waiting : ports::HttpService {  // answers when the test says so
  struct Activity : ports::HttpActivity {
    void on_body(std::string_view) override {}
    void on_body_end() override {}
    void on_client_gone() override {}
    void on_drained() override {}
  };
  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead&, const ports::HttpPeer&,
                                            ports::HttpAnswer& to) override {
    answer = &to;
    return std::make_unique<Activity>();
  }
  ports::HttpAnswer* answer = nullptr;
};

struct KeptLog final : Log {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
  int count(std::string_view part) const {
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [part](const auto& line) {
      return line.find(part) != std::string::npos;
    }));
  }
};

struct Hall {
  std::shared_ptr<Wire> come(std::string host) {
    auto wire = std::make_shared<Wire>();
    server.on_accept(std::make_unique<FakeStream>(wire, std::move(host)));
    timers.settle();
    return wire;
  }
  SimClock clock;
  SimTimers timers{clock};
  drivers::Http1Parsers parsers;
  KeptLog log;
  Waiting service;
  proxy::HttpServer server{parsers, timers, service, log};
};

proxy::ServerLimits limits(size_t in_all, size_t per_address) {
  proxy::ServerLimits made;
  made.connections_max = in_all;
  made.connections_per_address_max = per_address;
  return made;
}

}  // namespace

TEST_CASE("server: connections are bounded in all and per address, and those beyond are reset") {
  Hall hall;
  hall.server.set_limits(limits(3, 2));
  const auto first = hall.come("a");
  CHECK_FALSE(hall.come("a")->reset);
  CHECK(hall.come("a")->reset);
  CHECK_FALSE(hall.come("b")->reset);
  CHECK(hall.come("c")->reset);
  CHECK(hall.server.connections() == 3);
  CHECK(hall.server.refused() == 2);
  first->sink->on_end();
  hall.timers.settle();
  CHECK(first->closed);
  CHECK_FALSE(hall.come("a")->reset);
}

TEST_CASE("server: refusals are counted, and told in one line for many") {
  Hall hall;
  for (int i = 0; i < 50; ++i) hall.server.on_no_room();
  CHECK(hall.server.refused() == 50);
  CHECK(hall.log.count("connections refused") == 1);
  hall.timers.pass(proxy::HttpServer::kTellEvery);
  CHECK(hall.log.count("49 connections refused") == 1);
  hall.timers.pass(proxy::HttpServer::kTellEvery);
  CHECK(hall.log.count("connections refused") == 2);
}

TEST_CASE("server: a drain closes the idle, lets answers end, and tells once when all are closed") {
  Hall hall;
  const auto idle = hall.come("a");
  const auto busy = hall.come("b");
  busy->sink->on_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  int drained = 0;
  hall.server.drain(Duration(), [&] { ++drained; });
  hall.timers.settle();
  CHECK(idle->closed);
  CHECK_FALSE(busy->closed);
  CHECK(drained == 0);
  CHECK(hall.come("c")->reset);
  hall.service.answer->send_head(200, {}, 2);
  hall.service.answer->send_body("ok");
  hall.service.answer->end();
  hall.timers.settle();
  CHECK(busy->written.ends_with("connection: close\r\n\r\nok"));
  CHECK(busy->saw_fin());
  busy->sink->on_end();
  hall.timers.settle();
  CHECK(drained == 1);
  CHECK(hall.server.connections() == 0);
}

TEST_CASE("server: a drain of nothing is done at once") {
  Hall hall;
  int drained = 0;
  hall.server.drain(Duration(), [&] { ++drained; });
  CHECK(drained == 1);
}

}  // namespace sluice::script
