// The client's side of a connection, step by step: what the client sends, what passes of time, and
// what it must see.
#include "firmware/proxy/http_connection.h"

#include <doctest/doctest.h>

#include "drivers/http1/http1_parsers.h"
#include "tests/script/fake_stream.h"
#include "tests/script/sim_time.h"

namespace sluice::script {

namespace {

// Answers when the test says so, or in open() if `refuse_at_once`.
struct Service : ports::HttpService {
  struct Activity : ports::HttpActivity {
    explicit Activity(Service& of) : service(of) { ++service.alive; }
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
    Service& service;
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
  Line() {
    connection = std::make_unique<proxy::HttpConnection>(
        std::make_unique<FakeStream>(wire), parsers.request_parser({}), timers, service,
        proxy::ConnectionTimes(), [this] { closed = true; });
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
  Service service;
  std::shared_ptr<Wire> wire = std::make_shared<Wire>();
  bool closed = false;
  std::unique_ptr<proxy::HttpConnection> connection;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kPost = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
constexpr std::string_view kOldGet = "GET /old HTTP/1.0\r\n\r\n";

}  // namespace

TEST_CASE("connection: one request, one answer, and the connection stays open") {
  Line line;
  line.client(kGet);
  CHECK(line.service.bodies == 1);
  CHECK(line.service.alive == 1);
  line.service.whole("hello");
  CHECK(line.service.alive == 1);  // not destroyed inside its own call
  line.settle();
  CHECK(line.service.alive == 0);
  CHECK(line.read() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  line.client(kGet);
  line.service.whole("again");
  line.settle();
  CHECK(line.read() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nagain");
  CHECK_FALSE(line.wire->fin);
}

TEST_CASE("connection: a request that comes byte by byte is one request") {
  Line line;
  const std::string request = std::string(kPost) + "body";
  for (const char c : request) line.client(std::string_view(&c, 1));
  CHECK(line.service.paths.size() == 1);
  CHECK(line.service.body == "body");
  CHECK(line.service.bodies == 1);
}

TEST_CASE("connection: pipelined requests are answered one after another, in order") {
  Line line;
  line.client(std::string(kGet) + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n" + "GET /c HTTP/1.1\r\n");
  CHECK(line.service.paths == std::vector<std::string>{"/a"});
  line.service.whole("1");
  line.settle();
  CHECK(line.service.paths == std::vector<std::string>{"/a", "/b"});
  line.service.whole("2");
  line.settle();
  CHECK(line.service.paths.size() == 2);
  line.client("Host: x\r\n\r\n");
  CHECK(line.service.paths.back() == "/c");
}

TEST_CASE("connection: what a client sends ahead is bounded") {
  Line line;
  line.client(kGet);
  line.client(std::string(proxy::HttpConnection::kInputMax, 'x'));
  CHECK_FALSE(line.wire->paused);
  line.client("x");
  CHECK(line.wire->paused);
  line.service.whole("1");
  line.settle();
  CHECK_FALSE(line.wire->paused);
}

TEST_CASE("connection: an answer of unknown length is chunked") {
  Line line;
  line.client(kGet);
  line.service.answer->send_head(200, {}, std::nullopt);
  line.service.answer->send_body("0123456789abcdef");
  CHECK(line.read() ==
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n");
  line.service.answer->end();
  CHECK(line.read() == "0\r\n\r\n");
}

TEST_CASE("connection: 100-continue is sent before the body, once, and not after a refusal") {
  const std::string expecting =
      "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  Line taken;
  taken.client(expecting);
  CHECK(taken.read() == "HTTP/1.1 100 Continue\r\n\r\n");
  taken.client("body");
  CHECK(taken.service.body == "body");
  CHECK(taken.read().empty());

  Line refused;
  refused.service.refuse_at_once = true;
  refused.client(expecting);
  CHECK(refused.read().starts_with("HTTP/1.1 403 "));
}

TEST_CASE("connection: a refusal before the body closes, and the body is not taken for a request") {
  Line line;
  line.service.refuse_at_once = true;
  line.client(kPost);
  CHECK(line.has_read("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(line.has_read("connection: close\r\n"));
  CHECK(line.wire->saw_fin());
  line.client(kGet);
  CHECK(line.service.paths.size() == 1);
  CHECK_FALSE(line.closed);  // a close with unread input could take the answer with it
  line.client_fin();
  CHECK(line.closed);
}

TEST_CASE("connection: a refusal in the middle of the body is the last thing that it does") {
  Line line;
  line.service.body_max = 2;
  line.client(std::string(kPost) + "bo");
  CHECK(line.wire->written.empty());
  line.client("d");
  CHECK(line.has_read("HTTP/1.1 413 "));
  CHECK(line.has_read("connection: close\r\n"));
  CHECK(line.wire->saw_fin());
  line.client(std::string("y") + std::string(kGet));
  CHECK(line.service.body == "bod");
  CHECK(line.service.bodies == 0);
  CHECK(line.service.gone == 0);
  CHECK(line.service.paths.size() == 1);
}

TEST_CASE("connection: requests answered in the moment they end follow each other") {
  Line line;
  line.service.answer_at_end = true;
  line.client(std::string(kPost) + "body" + std::string(kGet) + std::string(kPost) + "last");
  CHECK(line.service.paths.size() == 3);
  CHECK(line.service.bodies == 3);
  CHECK(line.service.alive == 0);
  CHECK(line.read().ends_with("content-length: 4\r\n\r\ndone"));
  CHECK_FALSE(line.wire->fin);
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
  line.pass(proxy::HttpConnection::kLingerMax);
  CHECK(line.closed);
}

TEST_CASE("connection: HEAD gets the head of the answer and no body") {
  Line line;
  line.client("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  line.service.whole("hello");
  line.settle();
  CHECK(line.read() == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  line.client("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  line.service.answer->send_head(200, {}, std::nullopt);
  line.service.answer->send_body("hello");
  line.service.answer->end();
  CHECK(line.read() == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
}

TEST_CASE("connection: HTTP/1.0 closes after the answer, and keeps alive if it asked to") {
  Line line;
  line.client(kOldGet);
  line.service.whole("hello");
  CHECK(line.has_read("connection: close\r\n"));
  CHECK(line.wire->saw_fin());

  Line keeping;
  keeping.client("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  keeping.service.whole("hello");
  keeping.settle();
  CHECK(keeping.has_read("connection: keep-alive\r\n"));
  CHECK_FALSE(keeping.wire->fin);
}

TEST_CASE("connection: HTTP/1.0 gets an answer of unknown length unchunked, ended by the close") {
  Line line;
  line.client("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  line.service.answer->send_head(200, {}, std::nullopt);
  line.service.answer->send_body("hello");
  line.service.answer->end();
  CHECK(line.read() == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello");
  CHECK(line.wire->saw_fin());
}

TEST_CASE("connection: a malformed head is answered with the error and closes") {
  Line line;
  line.client("GET / HTTP/1.1\r\nBad Header\r\n\r\n");
  CHECK(line.has_read("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(line.has_read("\"malformed_request\""));
  CHECK(line.service.paths.empty());
  CHECK(line.wire->saw_fin());
}

TEST_CASE("connection: a malformed body tells the activity that the client is gone, and is 400") {
  Line line;
  line.client("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  CHECK(line.service.gone == 1);
  CHECK(line.has_read("HTTP/1.1 400 "));
  CHECK(line.wire->saw_fin());
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

TEST_CASE("connection: a body that pauses for 75 seconds is 408, and each piece gives it more") {
  Line line;
  line.client(kPost);
  line.pass(Duration::seconds(74));
  line.client("b");
  line.pass(Duration::seconds(75) - Duration::us(1));
  CHECK(line.service.gone == 0);
  line.pass(Duration::us(1));
  CHECK(line.service.gone == 1);
  CHECK(line.has_read("HTTP/1.1 408 "));
}

TEST_CASE("connection: an idle one is closed after 75 seconds without a word") {
  Line line;
  line.pass(Duration::seconds(75) - Duration::us(1));
  CHECK_FALSE(line.closed);
  line.pass(Duration::us(1));
  CHECK(line.closed);
  CHECK(line.wire->written.empty());
}

TEST_CASE("connection: an answer may take as long as it likes") {
  Line line;
  line.client(kGet);
  line.pass(Duration::seconds(3600));
  CHECK(line.service.gone == 0);
  line.service.whole("late");
  CHECK(line.has_read("late"));
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
  line.pass(proxy::HttpConnection::kLingerMax);
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
  SUBCASE("with a length: fewer bytes than declared") {
    Line line;
    line.client(kGet);
    line.service.answer->send_head(200, {}, 100);
    line.service.answer->send_body("hello");
    line.service.answer->cut();
    CHECK(line.read().ends_with("hello"));
    CHECK(line.wire->saw_fin());
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

TEST_CASE("connection: the activity sees the backlog and hears when it is gone") {
  Line line;
  line.client(kGet);
  line.wire->window = 0;
  line.service.answer->send_head(200, {}, std::nullopt);
  line.service.answer->send_body(std::string(1000, 'x'));
  CHECK(line.service.answer->backlog_bytes() > 1000);
  CHECK(line.service.drained == 0);
  line.wire->drain();
  CHECK(line.service.drained == 1);
  CHECK(line.service.answer->backlog_bytes() == 0);
}

TEST_CASE("connection: told to finish it closes when idle, and answers first when not") {
  Line idle;
  idle.connection->finish_soon();
  idle.settle();
  CHECK(idle.closed);

  Line busy;
  busy.client(kGet);
  busy.connection->finish_soon();
  busy.settle();
  CHECK_FALSE(busy.closed);
  busy.service.whole("last");
  CHECK(busy.has_read("connection: close\r\n"));
  CHECK(busy.has_read("last"));
  CHECK(busy.wire->saw_fin());
}

TEST_CASE(
    "connection: told to finish in the middle of an answer it loses nothing that is pending") {
  Line line;
  line.client(kGet);
  line.service.answer->send_head(200, {}, 5);
  line.service.answer->send_body("he");
  line.connection->finish_soon();
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
