// How a connection ends: clients that leave, that are slow, that take nothing; the box that stops.
#include <doctest/doctest.h>

#include "tests/script/connection_line.h"

namespace sluice::script {

namespace {

constexpr std::string_view kLargePost =
    "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";

}  // namespace

TEST_CASE("connection: what a client sends ahead is bounded, and reading goes on") {
  Line line;
  line.client(kGet);
  std::string ahead(kGet);
  ahead.resize(proxy::HttpConnection::kInputMax, 'x');
  line.client(ahead);
  line.client("x");  // one too many
  line.client(std::string(1'000'000, 'x'));
  CHECK_FALSE(line.wire->paused);
  line.service.whole("1");
  line.settle();
  CHECK(line.has_read("connection: close\r\n"));
  CHECK(line.wire->saw_fin());
  CHECK(line.service.paths.size() == 1);
}

TEST_CASE("connection: a departure is noticed in the same turn, whatever was sent ahead") {
  for (const bool reset : {false, true}) {
    Line line;
    line.client(kGet);
    line.service.answer->send_head(200, {}, std::nullopt);
    line.client(std::string(10'000'000, 'x'));
    CHECK(line.service.gone == 0);
    if (reset) {
      line.wire->sink->on_error({ErrorKind::gone, "script", "reset"});
    } else {
      line.wire->sink->on_end();
    }
    CHECK(line.service.gone == 1);
    line.settle();
    CHECK(line.closed);
  }
}

TEST_CASE("connection: who lingers without a FIN of his own is closed after two seconds") {
  Line line;
  line.service.refuse_at_once = true;
  line.client(kPost);
  line.pass(proxy::HttpConnection::kLingerMax - Duration::us(1));
  CHECK_FALSE(line.closed);
  line.pass(Duration::us(1));
  CHECK(line.closed);
  CHECK(line.wire->closed);
}

TEST_CASE("connection: a refused body that goes on is let run out, for half a minute at most") {
  const auto seconds_open = [](int sends_for) {
    Line line;
    line.service.refuse_at_once = true;
    line.client("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    int seconds = 0;
    for (; !line.closed; ++seconds) {
      if (seconds < sends_for) line.client("more of it");
      line.pass(Duration::seconds(1));
    }
    CHECK(line.service.body.empty());
    return seconds;
  };
  CHECK(seconds_open(0) == 2);
  CHECK(seconds_open(9) == 12);
  CHECK(seconds_open(1000) == 30);
}

TEST_CASE("connection: lingering goes on while the client takes what is pending") {
  Line line;
  line.wire->window = 10;
  line.service.refuse_at_once = true;
  line.client(kPost);
  for (int i = 0; i < 3; ++i) {
    line.pass(Duration::ms(1900));
    line.wire->pending.erase(0, 1);
    line.pass(Duration::ms(100));
    CHECK_FALSE(line.closed);
  }
  line.pass(Duration::seconds(119));
  CHECK_FALSE(line.closed);
  line.pass(Duration::seconds(121));
  CHECK(line.closed);
}

TEST_CASE("connection: a head that takes ten seconds is 408, from its first byte on") {
  Line line;
  line.pass(Duration::seconds(70));
  line.client("GET / HT");
  line.pass(Duration::seconds(9));
  line.client("TP/1.1\r\nHost: ");
  line.pass(Duration::us(999'999));
  CHECK(line.wire->written.empty());
  line.pass(Duration::us(1));
  CHECK(line.has_read("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(line.wire->saw_fin());
}

TEST_CASE("connection: a body slower than 100 bytes a second for 30 seconds is 408") {
  Line line;
  line.client(kLargePost);
  for (int second = 0; second < 60; ++second) {
    line.client(std::string(100, 'b'));
    line.pass(Duration::seconds(1));
  }
  CHECK(line.service.gone == 0);
  line.client(std::string(2999, 'b'));
  line.pass(Duration::seconds(30) - Duration::us(1));
  CHECK(line.service.gone == 0);
  line.pass(Duration::us(1));
  CHECK(line.service.gone == 1);
  CHECK(line.has_read("HTTP/1.1 408 "));
  CHECK(line.wire->saw_fin());
}

TEST_CASE("connection: a body as a whole has its time, however fast it is") {
  proxy::ConnectionRules rules;
  rules.times.body_max = Duration::seconds(70);
  Line line(rules);
  line.client(kLargePost);
  for (int second = 0; second < 70; ++second) {
    CHECK(line.service.gone == 0);
    line.client(std::string(1000, 'b'));
    line.pass(Duration::seconds(1));
  }
  CHECK(line.service.gone == 1);
  CHECK(line.has_read("HTTP/1.1 408 "));
}

TEST_CASE("connection: without a least rate only a body that stands still is cut off") {
  proxy::ConnectionRules rules;
  rules.body_per_s_min = Bytes{0};
  Line line(rules);
  line.client(kLargePost);
  for (int i = 0; i < 5; ++i) {
    line.client("b");
    line.pass(Duration::seconds(30));
    CHECK(line.service.gone == 0);
  }
  line.pass(Duration::seconds(30));
  CHECK(line.service.gone == 1);
}

TEST_CASE("connection: a client that takes nothing of its answer is dropped after its time") {
  Line line;
  line.client(kGet);
  line.service.answer->send_head(200, {}, std::nullopt);
  line.wire->window = 10;
  line.service.answer->send_body("hello");
  line.pass(Duration::seconds(119));
  line.wire->pending.erase(0, 1);  // it takes one byte: that is life
  line.service.answer->send_body("more");
  line.pass(Duration::seconds(1));
  CHECK(line.service.gone == 0);
  line.pass(Duration::seconds(120) - Duration::us(1));
  CHECK(line.service.gone == 0);
  line.pass(Duration::us(1));
  CHECK(line.service.gone == 1);
  CHECK(line.closed);
}

TEST_CASE("connection: a client that has taken all may wait for the rest as long as it takes") {
  Line line;
  line.client(kGet);
  line.service.answer->send_head(200, {}, std::nullopt);
  line.wire->window = 10;
  line.service.answer->send_body("hello");
  line.wire->drain();
  line.pass(Duration::seconds(3600));
  CHECK(line.service.gone == 0);
}

TEST_CASE("connection: a whole answer that is not taken does not hold the connection for ever") {
  Line line;
  line.client(kGet);
  line.wire->window = 10;
  line.service.whole("hello");
  line.settle();
  line.pass(Duration::seconds(75));  // idle: FIN behind what is pending
  CHECK_FALSE(line.closed);
  line.pass(Duration::seconds(120));
  CHECK(line.closed);
}

TEST_CASE("connection: half-closed clients that are kept get their answers, and the box closes") {
  proxy::ConnectionRules rules;
  rules.keeps_half_closed = true;
  Line line(rules);
  line.client(kGet);
  line.client_fin();
  CHECK(line.service.gone == 0);
  line.service.whole("hello");
  line.settle();
  CHECK(line.read() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
  CHECK(line.closed);

  Line ahead(rules);
  ahead.client(std::string(kGet) + std::string(kGet) + "GET");
  ahead.client_fin();
  ahead.service.whole("1");
  ahead.settle();
  CHECK(ahead.service.paths.size() == 2);
  ahead.service.whole("2");
  ahead.settle();
  CHECK(ahead.service.gone == 0);
  CHECK(ahead.closed);
}

TEST_CASE("connection: a half-closed client that is kept has left when the connection breaks") {
  proxy::ConnectionRules rules;
  rules.keeps_half_closed = true;
  Line line(rules);
  line.client(kGet);
  line.client_fin();
  line.wire->sink->on_error({ErrorKind::gone, "script", "reset"});
  line.settle();
  CHECK(line.service.gone == 1);
  CHECK(line.closed);
}

TEST_CASE("connection: a FIN in the middle of a body is a departure for everybody") {
  proxy::ConnectionRules rules;
  rules.keeps_half_closed = true;
  Line line(rules);
  line.client(kPost);
  line.client_fin();
  CHECK(line.service.gone == 1);
  CHECK(line.closed);
}

TEST_CASE("connection: an idle one is closed after 75 seconds without a word") {
  Line line;
  line.pass(Duration::seconds(75) - Duration::us(1));
  CHECK_FALSE(line.closed);
  line.pass(Duration::us(1));
  CHECK(line.closed);
  CHECK(line.wire->written.empty());
}

TEST_CASE("connection: a FIN while answering means that the client left") {
  Line line;
  line.client(kGet);
  line.client_fin();
  CHECK(line.service.gone == 1);
  CHECK(line.service.alive == 0);
  CHECK(line.closed);
}

TEST_CASE("connection: a reset while answering means the same, told once") {
  Line line;
  line.client(kGet);
  line.wire->sink->on_error({ErrorKind::gone, "script", "reset"});
  line.settle();
  CHECK(line.service.gone == 1);
  CHECK(line.closed);
}

TEST_CASE("connection: a FIN when idle closes it") {
  Line line;
  line.client(kGet);
  line.service.whole("x");
  line.settle();
  line.client_fin();
  CHECK(line.service.gone == 0);
  CHECK(line.closed);
}

TEST_CASE("connection: a FIN after the answer does not take what is still pending with it") {
  Line line;
  line.client(kGet);
  line.wire->window = 10;
  line.service.whole("hello");
  line.settle();
  line.client_fin();
  CHECK_FALSE(line.closed);
  line.wire->drain();
  line.settle();
  CHECK(line.has_read("\r\n\r\nhello"));
  CHECK(line.wire->saw_fin());
  CHECK(line.closed);
}

TEST_CASE("connection: a cut never looks complete") {
  SUBCASE("chunked: no last chunk") {
    Line line;
    line.client(kGet);
    line.service.answer->send_head(200, {}, std::nullopt);
    line.service.answer->send_body("hello");
    line.service.answer->cut();
    line.settle();
    CHECK(line.read().ends_with("5\r\nhello\r\n"));
    CHECK(line.wire->saw_fin());
  }
  SUBCASE("with a length: a reset, for after a FIN some clients wait for the rest") {
    Line line;
    line.client(kGet);
    line.service.answer->send_head(200, {}, 100);
    line.service.answer->send_body("hello");
    line.service.answer->cut();
    line.settle();
    CHECK(line.wire->reset);
    CHECK_FALSE(line.wire->fin);
    CHECK(line.closed);
  }
  SUBCASE("ended by the close: a reset, for a FIN would be an end") {
    Line line;
    line.client(kOldGet);
    line.service.answer->send_head(200, {}, std::nullopt);
    line.service.answer->send_body("hello");
    line.service.answer->cut();
    line.settle();
    CHECK(line.wire->reset);
    CHECK_FALSE(line.wire->fin);
    CHECK(line.closed);
  }
  SUBCASE("before the head: nothing at all") {
    Line line;
    line.client(kGet);
    line.service.answer->cut();
    CHECK(line.read().empty());
    CHECK(line.wire->saw_fin());
  }
}

TEST_CASE("connection: told to finish it closes when idle, and answers first when not") {
  Line idle;
  idle.connection->finish_soon(Duration());
  idle.settle();
  CHECK(idle.closed);

  Line busy;
  busy.client(kGet);
  busy.connection->finish_soon(Duration());
  busy.settle();
  CHECK_FALSE(busy.closed);
  busy.service.whole("last");
  CHECK(busy.has_read("connection: close\r\n"));
  CHECK(busy.has_read("last"));
  CHECK(busy.wire->saw_fin());
}

TEST_CASE("connection: idle when told to finish it still answers, for the time of grace") {
  const Duration grace = Duration::ms(1500);
  SUBCASE("a request that was on its way is answered, and told that it is the last") {
    Line line;
    line.connection->finish_soon(grace);
    line.pass(grace - Duration::ms(1));
    CHECK(line.read().empty());
    line.client(kGet);
    line.service.whole("in time");
    CHECK(line.has_read("connection: close\r\n"));
    CHECK(line.has_read("in time"));
    line.settle();
    CHECK(line.wire->saw_fin());
  }
  SUBCASE("the next after an answer that had promised to go on, too") {
    Line line;
    line.client(kGet);
    line.service.answer->send_head(200, {}, 2);
    line.connection->finish_soon(grace);
    line.service.answer->send_body("ok");
    line.service.answer->end();
    line.settle();
    CHECK_FALSE(line.has_read("connection: close\r\n"));
    CHECK_FALSE(line.wire->saw_fin());
    line.pass(grace - Duration::ms(1));
    line.client(kGet);
    line.service.whole("last");
    CHECK(line.has_read("connection: close\r\n"));
    line.settle();
    CHECK(line.wire->saw_fin());
  }
  SUBCASE("without one it ends, well: no reset for what comes too late") {
    Line line;
    line.connection->finish_soon(grace);
    line.pass(grace);
    CHECK(line.wire->saw_fin());
    CHECK_FALSE(line.closed);
    line.client(kGet);
    CHECK(line.service.paths.empty());
    CHECK_FALSE(line.wire->reset);
    line.client_fin();
    CHECK(line.closed);
  }
}

TEST_CASE(
    "connection: told to finish in the middle of an answer it loses nothing that is pending") {
  Line line;
  line.client(kGet);
  line.service.answer->send_head(200, {}, 5);
  line.service.answer->send_body("he");
  line.connection->finish_soon(Duration());
  line.wire->window = 0;
  line.service.answer->send_body("llo");
  line.service.answer->end();
  line.settle();
  CHECK_FALSE(line.wire->closed);
  line.wire->drain();
  CHECK(line.wire->saw_fin());
  CHECK(line.read().ends_with("\r\n\r\nhello"));
  line.client_fin();
  CHECK(line.closed);
}

}  // namespace sluice::script
