// How calls fail: at which stage, whether late, and whether the peer may have closed a kept
// connection before it saw the request.
#include <doctest/doctest.h>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/fake_net.h"

namespace sluice::testing {

namespace {

using ports::HttpFailure;

class Listener final : public ports::HttpCallSink {
 public:
  void on_head(const ports::HttpResponseHead&) override { ++heads; }
  void on_body(std::string_view bytes) override { body += bytes; }
  void on_end() override { ended = true; }
  void on_fail(const HttpFailure& failure) override { failed = failure; }

  std::unique_ptr<ports::HttpCall> call;
  int heads = 0;
  std::string body;
  bool ended = false;
  std::optional<HttpFailure> failed;
};

struct Bench {
  FakeTime time;
  FakeDialer dialer;
  drivers::Http1Parsers parsers;
  drivers::Http1Client client{dialer, time, time, parsers};
  ports::HttpCallSpec spec = make_spec();

  static ports::HttpCallSpec make_spec() {
    ports::HttpCallSpec spec;
    spec.origin = ports::parse_origin("http://10.0.0.5:8000").value();
    spec.target = "/v1/completions";
    spec.body = std::make_shared<ports::TextBody>("{}");
    spec.timeouts = {Duration::seconds(2), Duration::seconds(30), Duration::seconds(10),
                     Duration::seconds(100)};
    return spec;
  }
  std::shared_ptr<Wire> call(Listener& listener) {
    listener.call = client.call(spec, listener);
    return dialer.connect();
  }
  // A call on a connection that was used before.
  std::shared_ptr<Wire> call_again(Listener& listener) {
    Listener first;
    auto wire = call(first);
    wire->answer(kOk);
    REQUIRE(first.ended);
    listener.call = client.call(spec, listener);
    REQUIRE(dialer.dials == 1);
    return wire;
  }

  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  static constexpr std::string_view kStream =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
};

void check(const Listener& listener, ErrorKind kind, HttpFailure::Stage stage, bool reused,
           bool late) {
  REQUIRE(listener.failed);
  CHECK(listener.failed->error.kind == kind);
  CHECK(listener.failed->stage == stage);
  CHECK(listener.failed->reused_connection == reused);
  CHECK(listener.failed->timed_out == late);
  CHECK_FALSE(listener.ended);
}

using Stage = HttpFailure::Stage;

}  // namespace

TEST_CASE("client: a refused connection fails at the stage connect") {
  Bench bench;
  Listener listener;
  listener.call = bench.client.call(bench.spec, listener);
  bench.dialer.refuse();
  check(listener, ErrorKind::gone, Stage::connect, false, false);
  bench.time.turn();
  CHECK(bench.client.open_connections() == 0);
}

TEST_CASE("client: no connection within the connect time") {
  Bench bench;
  Listener listener;
  listener.call = bench.client.call(bench.spec, listener);
  bench.time.pass(Duration::ms(1999));
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::ms(1));
  check(listener, ErrorKind::gone, Stage::connect, false, true);
  CHECK_FALSE(bench.dialer.is_waiting());
}

TEST_CASE("client: no answer within the first-byte time") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  bench.time.pass(Duration::ms(29999));
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::ms(1));
  check(listener, ErrorKind::gone, Stage::before_head, false, true);
  CHECK_FALSE(wire->is_open());
}

TEST_CASE("client: a late answer on a used connection is no closed connection") {
  Bench bench;
  Listener listener;
  bench.call_again(listener);
  bench.time.pass(Duration::seconds(30));
  check(listener, ErrorKind::gone, Stage::before_head, false, true);
}

TEST_CASE(
    "client: the first-byte time counts from the end of sending, a stalled peer is late too") {
  Bench bench;
  Listener listener;
  listener.call = bench.client.call(bench.spec, listener);
  const auto wire = bench.dialer.connect(1000);
  bench.time.pass(Duration::seconds(20));
  wire->stuck = 500;
  bench.time.pass(Duration::seconds(20));  // looked at after 30 s: the peer had read on
  CHECK_FALSE(listener.failed);
  wire->stuck = 0;
  wire->sink->on_drained();
  bench.time.pass(Duration::seconds(29));
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::seconds(1));
  check(listener, ErrorKind::gone, Stage::before_head, false, true);

  Listener stalled;
  stalled.call = bench.client.call(bench.spec, stalled);
  bench.dialer.connect(1000);
  bench.time.pass(Duration::seconds(30));
  check(stalled, ErrorKind::gone, Stage::before_head, false, true);
  CHECK(stalled.failed->error.text == "the peer does not read the request");
}

TEST_CASE("client: a body that stops is late after the idle time since the last read") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer(Bench::kStream);
  for (int i = 0; i < 5; ++i) {
    bench.time.pass(Duration::seconds(9));
    wire->answer("1\r\nx\r\n");
  }
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::ms(9999));
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::ms(1));
  check(listener, ErrorKind::gone, Stage::in_body, false, true);
  CHECK(listener.body == "abxxxxx");
}

TEST_CASE("client: a paused body is not late, but the total time goes on") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer(Bench::kStream);
  listener.call->pause();
  bench.time.pass(Duration::seconds(60));
  CHECK_FALSE(listener.failed);
  listener.call->resume();
  bench.time.pass(Duration::seconds(9));
  CHECK_FALSE(listener.failed);
  listener.call->pause();
  bench.time.pass(Duration::seconds(31));
  check(listener, ErrorKind::gone, Stage::in_body, false, true);
}

TEST_CASE("client: the total time ends a call that never stands still") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer(Bench::kStream);
  for (int i = 0; i < 99; ++i) {
    bench.time.pass(Duration::seconds(1));
    wire->answer("1\r\nx\r\n");
  }
  CHECK_FALSE(listener.failed);
  bench.time.pass(Duration::seconds(1));
  check(listener, ErrorKind::gone, Stage::in_body, false, true);
}

TEST_CASE("client: without timeouts a call waits for ever") {
  Bench bench;
  bench.spec.timeouts = {Duration(), Duration(), Duration(), Duration()};
  Listener listener;
  const auto wire = bench.call(listener);
  bench.time.pass(Duration::seconds(100000));
  wire->answer(Bench::kOk);
  CHECK(listener.ended);
}

TEST_CASE("client: reads of a long body do not start the timer each time") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer(Bench::kStream);
  const int before = bench.time.started;
  for (int i = 0; i < 1000; ++i) {
    bench.time.pass(Duration::ms(20));
    wire->answer("1\r\nx\r\n");
  }
  CHECK(bench.time.started - before <= 5);
}

TEST_CASE(
    "client: an end or reset on a used connection without a byte says so, and nothing is sent "
    "again") {
  for (const bool reset : {false, true}) {
    Bench bench;
    Listener listener;
    const auto wire = bench.call_again(listener);
    const int writes = wire->writes;
    if (reset) wire->sink->on_error({ErrorKind::gone, "fake", "reset by peer"});
    if (!reset) wire->sink->on_end();
    check(listener, ErrorKind::gone, Stage::before_head, true, false);
    CHECK(wire->writes == writes);
    CHECK(bench.dialer.dials == 1);
  }
}

TEST_CASE("client: with a byte, or on a new connection, it does not say so") {
  Bench bench;
  Listener used;
  const auto wire = bench.call_again(used);
  wire->answer("H");
  wire->sink->on_end();
  check(used, ErrorKind::gone, Stage::before_head, false, false);

  Listener fresh;
  bench.call(fresh)->sink->on_end();
  check(fresh, ErrorKind::gone, Stage::before_head, false, false);
}

TEST_CASE("client: a truncated body is a failure, counted or chunked, by end or reset") {
  const char* const answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
  };
  for (const char* answer : answers) {
    Bench bench;
    Listener ended;
    auto wire = bench.call(ended);
    wire->answer(answer);
    wire->sink->on_end();
    check(ended, ErrorKind::broken, Stage::in_body, false, false);
    CHECK(ended.body == "ab");
    Listener reset;
    wire = bench.call(reset);
    wire->answer(answer);
    wire->sink->on_error({ErrorKind::gone, "fake", "reset by peer"});
    check(reset, ErrorKind::gone, Stage::in_body, false, false);
  }
}

TEST_CASE("client: a reset does not complete a body that is delimited by the close") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer("HTTP/1.1 200 OK\r\n\r\nab");
  wire->sink->on_error({ErrorKind::gone, "fake", "reset by peer"});
  check(listener, ErrorKind::gone, Stage::in_body, false, false);
}

TEST_CASE("client: a malformed answer is broken and closes the connection") {
  Bench bench;
  Listener listener;
  const auto wire = bench.call(listener);
  wire->answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi");
  check(listener, ErrorKind::broken, Stage::before_head, false, false);
  CHECK_FALSE(wire->is_open());
  CHECK(listener.heads == 0);
}

TEST_CASE("client: a body beyond body_max fails after the head, stated or not") {
  Bench bench;
  bench.spec.body_max = Bytes{3};
  Listener stated;
  auto wire = bench.call(stated);
  wire->answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
  check(stated, ErrorKind::broken, Stage::in_body, false, false);
  CHECK(stated.heads == 1);
  CHECK(stated.body.empty());
  CHECK_FALSE(wire->is_open());

  Listener counted;
  wire = bench.call(counted);
  wire->answer(std::string(Bench::kStream) + "1\r\nc\r\n1\r\nd\r\n");
  check(counted, ErrorKind::broken, Stage::in_body, false, false);
  CHECK(counted.body == "abc");

  Listener exact;
  wire = bench.call(exact);
  wire->answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(exact.ended);
}

}  // namespace sluice::testing
