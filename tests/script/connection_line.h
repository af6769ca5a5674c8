// A connection whose client and whose service are the test.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/http1/http1_parsers.h"
#include "firmware/proxy/http_connection.h"
#include "tests/script/fake_stream.h"
#include "tests/script/sim_time.h"

namespace sluice::script {

// Answers when the test says so, or in open() if `refuse_at_once`.
struct TestService : ports::HttpService {
  struct Activity : ports::HttpActivity {
    explicit Activity(TestService& of) : service(of) { ++service.alive; }
    ~Activity() override { --service.alive; }
    void on_body(std::string_view bytes) override {
      service.body += bytes;
      if (service.body.size() > service.body_max) service.whole("too large", 413);
    }
    void on_body_end() override {
      ++service.bodies;
      if (service.answer_at_end) service.whole("done");
    }
    void on_client_gone() override { ++service.gone; }
    void on_drained() override { ++service.drained; }
    TestService& service;
  };
  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead& head,
                                            const ports::HttpPeer&,
                                            ports::HttpAnswer& to) override {
    paths.push_back(head.target);
    answer = &to;
    body.clear();
    auto activity = std::make_unique<Activity>(*this);
    if (refuse_at_once) whole("no", 403);
    return activity;
  }
  void whole(std::string_view text, int status = 200) {
    answer->send_head(status, {}, text.size());
    answer->send_body(text);
    answer->end();
  }

  ports::HttpAnswer* answer = nullptr;
  std::vector<std::string> paths;
  std::string body;
  bool refuse_at_once = false;
  bool answer_at_end = false;
  size_t body_max = std::string::npos;
  int alive = 0;
  int bodies = 0;
  int gone = 0;
  int drained = 0;
};

struct Line {
  explicit Line(const proxy::ConnectionRules& rules = {}) {
    connection = std::make_unique<proxy::HttpConnection>(
        std::make_unique<FakeStream>(wire), parsers.request_parser({}), timers, service,
        std::make_shared<const proxy::ConnectionRules>(rules), [this] { closed = true; });
    connection->start();
  }
  // One read of the kernel, and all that follows from it at once.
  void client(std::string_view bytes) {
    wire->sink->on_bytes(bytes);
    timers.settle();
  }
  void client_fin() {
    wire->sink->on_end();
    timers.settle();
  }
  void pass(Duration time) { timers.pass(time); }
  void settle() { timers.settle(); }
  // What the client has read since the last look.
  std::string read() {
    std::string all;
    all.swap(wire->written);
    return all;
  }
  bool has_read(std::string_view text) const {
    return wire->written.find(text) != std::string::npos;
  }

  SimClock clock;
  SimTimers timers{clock};
  drivers::Http1Parsers parsers;
  TestService service;
  std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  bool closed = false;
  std::unique_ptr<proxy::HttpConnection> connection;
};

inline constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
inline constexpr std::string_view kPost =
    "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
inline constexpr std::string_view kOldGet = "GET /old HTTP/1.0\r\n\r\n";

}  // namespace sluice::script
