#include <doctest/doctest.h>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/fake_net.h"
#include "tests/unit/http1/parse_trace.h"

namespace sluice::testing {

namespace {

using ports::HttpCallSpec;
using ports::HttpFailure;

const char* to_text(HttpFailure::Stage stage) {
  switch (stage) {
    case HttpFailure::Stage::connect:
      return "connect";
    case HttpFailure::Stage::before_head:
      return "before_head";
    case HttpFailure::Stage::in_body:
      return "in_body";
  }
  return "?";
}

// Writes down what it hears; destroys its call at an event, if told so.
class Listener final : public ports::HttpCallSink {
 public:
  void on_head(const ports::HttpResponseHead& head) override {
    heard += "head " + std::to_string(head.status) + "|";
    if (drop_at == "head") call.reset();
    if (pause_at == "head") call->pause();
  }
  void on_body(std::string_view bytes) override {
    heard += bytes;
    if (drop_at == "body") call.reset();
  }
  void on_end() override {
    heard += "|end";
    if (drop_at == "end") call.reset();
    if (at_end) at_end();
  }
  void on_fail(const HttpFailure& failure) override {
    heard += std::string("|fail ") + sluice::to_text(failure.error.kind) + " " +
             to_text(failure.stage) + (failure.reused_connection ? " reused" : "") +
             (failure.timed_out ? " late" : "");
    error = failure.error.text;
    if (drop_at == "fail") call.reset();
  }

  std::unique_ptr<ports::HttpCall> call;
  std::string heard;
  std::string error;
  std::string drop_at;
  std::string pause_at;
  Callback at_end;
};

HttpCallSpec post(std::string body = "{}") {
  HttpCallSpec spec;
  spec.origin = ports::parse_origin("http://engine:8000").value();
  spec.target = "/v1/chat/completions";
  spec.fields.add("Content-Type", "application/json");
  spec.body = std::make_shared<ports::TextBody>(std::move(body));
  return spec;
}

struct Bench {
  FakeTime time;
  FakeDialer dialer;
  drivers::Http1Parsers parsers;
  drivers::Http1Client client{dialer, time, time, parsers};

  void call(Listener& listener, HttpCallSpec spec = post()) {
    listener.call = client.call(std::move(spec), listener);
  }
  // One call on a new connection that rests afterwards.
  std::shared_ptr<Wire> rest_one() {
    Listener first;
    call(first);
    auto wire = dialer.connect();
    wire->answer(kOk);
    REQUIRE(first.heard == "head 200|hi|end");
    wire->written.clear();
    wire->writes = 0;
    return wire;
  }

  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  static constexpr std::string_view kStream =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
};

}  // namespace

TEST_CASE("client: a small request is one write, with Host and Content-Length added") {
  Bench bench;
  Listener listener;
  bench.call(listener);
  CHECK(listener.heard.empty());
  const auto wire = bench.dialer.connect();
  CHECK(wire->written ==
        "POST /v1/chat/completions HTTP/1.1\r\nHost: engine:8000\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(wire->writes == 1);
  wire->answer(Bench::kOk);
  CHECK(listener.heard == "head 200|hi|end");
}

TEST_CASE("client: a large body is a second write, a missing one is length 0 or nothing") {
  Bench bench;
  Listener listener;
  bench.call(listener, post(std::string(100000, 'x')));
  const auto wire = bench.dialer.connect();
  CHECK(wire->writes == 2);
  CHECK(wire->written.ends_with("Content-Length: 100000\r\n\r\n" + std::string(100000, 'x')));

  HttpCallSpec spec = post();
  spec.body = nullptr;
  Listener empty;
  bench.call(empty, spec);
  CHECK(bench.dialer.connect()->written.ends_with("json\r\nContent-Length: 0\r\n\r\n"));
  spec.method = "GET";
  Listener get;
  bench.call(get, spec);
  CHECK(bench.dialer.connect()->written.ends_with("Content-Type: application/json\r\n\r\n"));
}

TEST_CASE("client: the connection is kept and used again for the same address only") {
  Bench bench;
  const auto wire = bench.rest_one();
  CHECK(bench.client.resting_connections() == 1);
  Listener second;
  bench.call(second);
  CHECK(bench.dialer.dials == 1);
  CHECK(wire->written.starts_with("POST "));
  wire->answer(Bench::kOk);
  CHECK(second.heard == "head 200|hi|end");

  Listener other;
  HttpCallSpec spec = post();
  spec.origin.address.port = 8001;
  bench.call(other, spec);
  CHECK(bench.dialer.dials == 2);
}

TEST_CASE("client: a fresh connection is one that was never used") {
  Bench bench;
  const auto wire = bench.rest_one();
  Listener second;
  HttpCallSpec spec = post();
  spec.fresh_connection = true;
  bench.call(second, spec);
  CHECK(bench.dialer.dials == 2);
  CHECK(wire->is_open());
  CHECK(wire->written.empty());
}

TEST_CASE("client: a call started in on_end may take the connection that just rested") {
  Bench bench;
  Listener first;
  Listener second;
  first.at_end = [&] { bench.call(second); };
  bench.call(first);
  const auto wire = bench.dialer.connect();
  wire->answer(Bench::kOk);
  CHECK(wire->writes == 2);
  wire->answer(Bench::kOk);
  CHECK(second.heard == "head 200|hi|end");
  CHECK(bench.dialer.dials == 1);
}

TEST_CASE("client: a connection whose stream just ended is left time to be closed") {
  Bench bench;
  Listener first;
  bench.call(first);
  const auto wire = bench.dialer.connect();
  wire->answer(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nhi\r\n0\r\n\r\n");
  CHECK(first.heard == "head 200|hi|end");
  Listener second;
  bench.call(second);
  CHECK(bench.dialer.dials == 2);
  bench.time.pass(Duration::ms(20));
  Listener third;
  bench.call(third);
  CHECK(bench.dialer.dials == 2);
  wire->answer(Bench::kOk);
  CHECK(third.heard == "head 200|hi|end");
}

TEST_CASE("client: a resting connection goes after four seconds, not before") {
  Bench bench;
  const auto wire = bench.rest_one();
  bench.time.pass(Duration::ms(3999));
  CHECK(wire->is_open());
  bench.time.pass(Duration::ms(1));
  CHECK_FALSE(wire->is_open());
  CHECK(bench.client.open_connections() == 0);
}

TEST_CASE("client: each resting connection has its own four seconds") {
  Bench bench;
  const auto first = bench.rest_one();
  Listener listener;
  HttpCallSpec spec = post();
  spec.fresh_connection = true;
  bench.call(listener, spec);
  const auto second = bench.dialer.connect();
  bench.time.pass(Duration::seconds(2));
  second->answer(Bench::kOk);
  bench.time.pass(Duration::seconds(2));
  CHECK_FALSE(first->is_open());
  CHECK(second->is_open());
  bench.time.pass(Duration::seconds(2));
  CHECK_FALSE(second->is_open());
}

TEST_CASE(
    "client: an end, bytes or an error while resting close the connection, and nobody hears") {
  for (int kind = 0; kind < 3; ++kind) {
    Bench bench;
    const auto wire = bench.rest_one();
    if (kind == 0) wire->sink->on_end();
    if (kind == 1) wire->answer("HTTP/1.1 408 Request Timeout\r\n\r\n");
    if (kind == 2) wire->sink->on_error({ErrorKind::gone, "fake", "reset"});
    CHECK_FALSE(wire->is_open());
    CHECK(bench.client.resting_connections() == 0);
    Listener second;
    bench.call(second);
    CHECK(bench.dialer.dials == 2);
  }
}

TEST_CASE("client: no more connections rest than the bound says, the oldest goes first") {
  Bench bench;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::shared_ptr<Wire>> wires;
  for (size_t i = 0; i <= drivers::kRestingPerOriginMax; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    bench.call(*listeners.back());
    wires.push_back(bench.dialer.connect());
  }
  for (const auto& wire : wires) wire->answer(Bench::kOk);
  CHECK(bench.client.resting_connections() == drivers::kRestingPerOriginMax);
  CHECK_FALSE(wires.front()->is_open());
  CHECK(wires.back()->is_open());
}

TEST_CASE("client: beyond the open connections of one origin a call fails busy, a turn later") {
  Bench bench;
  std::vector<std::unique_ptr<Listener>> listeners;
  for (size_t i = 0; i < drivers::kOpenPerOriginMax; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    bench.call(*listeners.back());
    bench.dialer.connect();
  }
  Listener late;
  bench.call(late);
  CHECK(late.heard.empty());
  bench.time.turn();
  CHECK(late.heard == "|fail busy connect");
}

TEST_CASE("client: answers that end the connection end it") {
  const char* const answers[] = {
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n",  // bytes behind the end
  };
  for (const char* answer : answers) {
    Bench bench;
    Listener listener;
    bench.call(listener);
    const auto wire = bench.dialer.connect();
    wire->answer(answer);
    CHECK(listener.heard == "head 200|hi|end");
    CHECK_FALSE(wire->is_open());
  }
}

TEST_CASE("client: an answer before the request was sent whole is told, but nothing is kept") {
  Bench bench;
  Listener listener;
  bench.call(listener);
  const auto wire = bench.dialer.connect(1000);
  wire->answer("HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\nno");
  CHECK(listener.heard == "head 413|no|end");
  CHECK_FALSE(wire->is_open());
}

TEST_CASE("client: any split of the answer gives the same callbacks") {
  const std::string answer = "HTTP/1.1 100 Continue\r\n\r\n" + std::string(Bench::kStream) +
                             "3;x=y\r\ncde\r\n0\r\nT: 1\r\n\r\n";
  for (size_t cut = 1; cut < answer.size(); ++cut) {
    Bench bench;
    Listener listener;
    bench.call(listener);
    const auto wire = bench.dialer.connect();
    wire->answer(answer.substr(0, cut));
    wire->answer(answer.substr(cut));
    REQUIRE(listener.heard == "head 200|abcde|end");
    REQUIRE(wire->is_open());
  }
}

TEST_CASE("client: the close ends a body without a length") {
  Bench bench;
  Listener listener;
  bench.call(listener);
  const auto wire = bench.dialer.connect();
  wire->answer("HTTP/1.1 200 OK\r\n\r\nhi");
  CHECK(listener.heard == "head 200|hi");
  wire->sink->on_end();
  CHECK(listener.heard == "head 200|hi|end");
  CHECK_FALSE(wire->is_open());
}

TEST_CASE("client: the answer to HEAD has no body") {
  Bench bench;
  HttpCallSpec spec = post();
  spec.method = "HEAD";
  spec.body = nullptr;
  spec.body_max = Bytes{10};
  Listener listener;
  bench.call(listener, spec);
  const auto wire = bench.dialer.connect();
  wire->answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  CHECK(listener.heard == "head 200||end");
  CHECK(wire->is_open());
}

TEST_CASE("client: what it cannot write is refused, a turn later") {
  const auto hears = [](HttpCallSpec spec) {
    Bench bench;
    Listener listener;
    bench.call(listener, std::move(spec));
    CHECK(listener.heard.empty());
    bench.time.turn();
    CHECK(bench.dialer.dials == 0);
    return listener.heard;
  };
  HttpCallSpec tls = post();
  tls.origin.tls = true;
  CHECK(hears(tls) == "|fail unsupported connect");
  HttpCallSpec field = post();
  field.fields.add("X", "a\r\nEvil: b");
  CHECK(hears(field) == "|fail refused connect");
  HttpCallSpec target = post();
  target.target = "/a b";
  CHECK(hears(target) == "|fail refused connect");
  HttpCallSpec ours = post();
  ours.fields.add("transfer-encoding", "chunked");
  CHECK(hears(ours) == "|fail refused connect");
}

TEST_CASE("client: a refused call that is destroyed at once stays silent") {
  Bench bench;
  Listener listener;
  HttpCallSpec tls = post();
  tls.origin.tls = true;
  bench.call(listener, tls);
  listener.call.reset();
  bench.time.turn();
  CHECK(listener.heard.empty());
  CHECK(bench.client.open_connections() == 0);
}

TEST_CASE("client: calls that outlive it are silent") {
  Listener listener;
  std::shared_ptr<Wire> wire;
  {
    Bench bench;
    bench.call(listener);
    wire = bench.dialer.connect();
  }
  CHECK_FALSE(wire->is_open());
  listener.call->pause();
  listener.call.reset();
  CHECK(listener.heard.empty());
}

TEST_CASE("client: a call may be destroyed in any of its callbacks") {
  for (const char* event : {"head", "body", "end", "fail"}) {
    CAPTURE(event);
    Bench bench;
    Listener listener;
    listener.drop_at = event;
    bench.call(listener);
    const auto wire = bench.dialer.connect();
    const bool fails = std::string_view(event) == "fail";
    wire->answer(std::string(Bench::kStream) + (fails ? "zz\r\n" : "0\r\n\r\n"));
    CHECK(listener.call == nullptr);
    CHECK(wire->is_open() == (std::string_view(event) == "end"));
    if (std::string_view(event) == "head") CHECK(listener.heard == "head 200|");
    if (std::string_view(event) == "body") CHECK(listener.heard == "head 200|ab");
    bench.time.turn();
    CHECK(bench.client.open_connections() == (wire->is_open() ? 1 : 0));
  }
}

TEST_CASE("client: destroying a call closes its connection or its dial at once") {
  Bench bench;
  Listener listener;
  bench.call(listener);
  listener.call.reset();
  CHECK_FALSE(bench.dialer.is_waiting());
  bench.call(listener);
  const auto wire = bench.dialer.connect();
  listener.call.reset();
  CHECK_FALSE(wire->is_open());
  bench.time.turn();
  CHECK(bench.client.open_connections() == 0);
  CHECK(listener.heard.empty());
}

TEST_CASE("client: pause stops reading, resume goes on, and a kept connection reads again") {
  Bench bench;
  Listener listener;
  bench.call(listener);
  listener.call->pause();  // while dialing
  const auto wire = bench.dialer.connect();
  CHECK_FALSE(wire->reading);
  listener.call->resume();
  CHECK(wire->reading);
  listener.pause_at = "head";
  wire->answer(std::string(Bench::kStream) + "0\r\n\r\n");
  CHECK(listener.heard == "head 200|ab|end");
  CHECK(wire->reading);
  CHECK(bench.client.resting_connections() == 1);
}

}  // namespace sluice::testing
