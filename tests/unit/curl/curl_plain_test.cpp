#include <algorithm>

#include "tests/unit/curl/curl_world.h"

using namespace sluice;
using drivers::CurlClient;
using tests::Heard;
using tests::Peer;
using tests::World;
using Stage = ports::HttpFailure::Stage;
using Events = std::vector<std::string>;

namespace {

std::shared_ptr<const ports::HttpBody> text(std::string bytes) {
  return std::make_shared<ports::TextBody>(std::move(bytes));
}

bool has(const std::string& all, const std::string& part) {
  return all.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("curl: a POST goes out as it was given, and the answer comes back") {
  World world;
  std::string seen;
  world.on_request = [&](Peer& peer) {
    seen = peer.request;
    peer.answer("HTTP/1.1 429 Too Many\r\nRetry-After:  7 \r\nContent-Length: 5\r\n\r\nhello");
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("POST", "/v1/../chat?x=%20y");
  spec.origin.authority = "engine.example";
  spec.fields.add("Content-Type", "application/json");
  spec.fields.add("X-Empty", "");
  spec.body = text("{\"a\":1}");
  auto call = client.call(spec, heard);
  CHECK(heard.events.empty());
  world.run();
  CHECK(seen.starts_with("POST /v1/../chat?x=%20y HTTP/1.1\r\n"));
  CHECK(seen.ends_with("\r\n\r\n{\"a\":1}"));
  CHECK(has(seen, "\r\nHost: engine.example\r\n"));
  CHECK(has(seen, "\r\nContent-Type: application/json\r\n"));
  CHECK(has(seen, "\r\nContent-Length: 7\r\n"));
  CHECK(has(seen, "\r\nX-Empty:"));
  CHECK(has(seen, "\r\nAccept-Encoding: identity\r\n"));
  for (const char* own : {"Expect", "User-Agent", "Accept:", "Transfer-Encoding"}) {
    INFO(own);
    CHECK_FALSE(has(seen, own));
  }
  CHECK(heard.events == Events{"head", "body", "end"});
  CHECK(heard.head.status == 429);
  CHECK(heard.head.fields.get("retry-after") == "7");
  CHECK(heard.head.content_length == 5);
  CHECK(heard.body == "hello");
}

TEST_CASE("curl: informational answers and trailers are passed over, chunks are joined") {
  World world;
  world.on_request = [](Peer& peer) {
    peer.answer(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
        "chunked\r\n"
        "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n");
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto call = client.call(world.spec("GET", "/"), heard);
  world.run();
  CHECK(heard.events.front() == "head");
  CHECK(heard.events.back() == "end");
  CHECK(heard.head.status == 200);
  CHECK(heard.head.fields.size() == 1);
  CHECK_FALSE(heard.head.content_length.has_value());
  CHECK(heard.body == "abcde");
}

TEST_CASE("curl: a streamed body arrives piece by piece") {
  World world;
  Peer* server = nullptr;
  world.on_request = [&](Peer& peer) {
    server = &peer;
    peer.answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  int pieces = 0;
  heard.on_event = [&](const std::string& event) {  // each piece is asked for by the one before
    if (event == "end" || event == "fail") return;
    if (++pieces > 5) {
      server->stream->end_writing();
    } else {
      server->answer("data: " + std::to_string(pieces) + "\n\n");
    }
  };
  auto call = client.call(world.spec("POST", "/"), heard);
  world.run();
  CHECK(heard.events == Events{"head", "body", "body", "body", "body", "body", "end"});
  CHECK(heard.body == "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\ndata: 5\n\n");
}

TEST_CASE("curl: a large body goes out and comes back whole, held back while paused") {
  World world;
  const std::string big(3000000, 'b');
  world.on_request = [&](Peer& peer) {
    CHECK(peer.request.ends_with(big));
    peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + big);
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("POST", "/");
  spec.body = text(big);
  spec.timeouts.idle = Duration::ms(150);
  auto call = client.call(spec, heard);
  bool was_paused = false;
  heard.on_event = [&](const std::string& event) {
    if (event != "body" || was_paused) return;
    was_paused = true;
    call->pause();
    world.loop.stop();
  };
  world.run();
  const size_t before = heard.body.size();
  world.run_for(Duration::ms(300));  // longer than the peer may be silent: not the peer's fault
  CHECK(heard.body.size() == before);
  CHECK(heard.events.back() == "body");
  call->resume();
  CHECK(heard.body.size() == before);  // never inside the call
  world.run();
  CHECK(heard.events.back() == "end");
  CHECK(heard.body == big);
}

TEST_CASE("curl: a call destroyed in a callback hears nothing more and closes its connection") {
  for (const char* moment : {"head", "body"}) {
    World world;
    world.on_request = [](Peer& peer) { peer.answer("HTTP/1.1 200 OK\r\n\r\nsome"); };
    CurlClient client(world.loop.raw());
    Heard heard(world);
    auto call = client.call(world.spec("POST", "/"), heard);
    heard.on_event = [&](const std::string& event) {
      if (event != moment) return;
      call.reset();
      world.loop.stop();
    };
    world.run();
    CHECK(heard.events.back() == moment);
    const size_t events = heard.events.size();
    world.run_for(Duration::ms(50));
    CHECK(heard.events.size() == events);
    REQUIRE(world.peers.size() == 1);
    CHECK(world.peers[0]->ended);
  }
}

TEST_CASE("curl: cancelled before the answer, the connection is closed at once") {
  World world;
  world.on_request = [&](Peer&) { world.loop.stop(); };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto call = client.call(world.spec("POST", "/"), heard);
  world.run();
  call.reset();
  world.run_for(Duration::ms(50));
  CHECK(heard.events.empty());
  CHECK(world.peers[0]->ended);
}

TEST_CASE("curl: a refused connection is told as such") {
  World world;
  auto spec = world.spec("POST", "/");
  world.listener.reset();
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto call = client.call(spec, heard);
  world.run();
  CHECK(heard.events == Events{"fail"});
  CHECK(heard.failure.error.kind == ErrorKind::gone);
  CHECK(heard.failure.stage == Stage::connect);
  CHECK_FALSE(heard.failure.timed_out);
  CHECK(has(heard.failure.error.text, "Connection refused"));
}

TEST_CASE("curl: an unknown name is told as such") {
  World world;
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("POST", "/");
  spec.origin.address = {"no-such-name.invalid", 80, ""};
  auto call = client.call(spec, heard);
  world.run();
  CHECK(heard.failure.error.kind == ErrorKind::gone);
  CHECK(heard.failure.stage == Stage::connect);
  CHECK(has(heard.failure.error.text, "name is not found"));
}

TEST_CASE("curl: silence before the head and inside the body has a limit each") {
  for (const bool in_body : {false, true}) {
    World world;
    world.on_request = [&](Peer& peer) {
      if (in_body) peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
    };
    CurlClient client(world.loop.raw());
    Heard heard(world);
    auto spec = world.spec("POST", "/");
    spec.body = text("x");
    spec.timeouts.first_byte = in_body ? Duration::seconds(15) : Duration::ms(80);
    spec.timeouts.idle = in_body ? Duration::ms(80) : Duration::seconds(15);
    const Instant start = world.clock.now();
    auto call = client.call(spec, heard);
    world.run();
    CHECK(heard.events == (in_body ? Events{"head", "body", "fail"} : Events{"fail"}));
    CHECK(heard.failure.timed_out);
    CHECK(heard.failure.error.kind == ErrorKind::gone);
    CHECK(heard.failure.stage == (in_body ? Stage::in_body : Stage::before_head));
    CHECK(has(heard.failure.error.text, "within 80 ms"));
    CHECK((world.clock.now() - start).as_ms() >= 75);
    CHECK((world.clock.now() - start).as_ms() < 10000);
  }
}

TEST_CASE("curl: the total time has a limit") {
  World world;
  world.on_request = [](Peer&) {};
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("POST", "/");
  spec.timeouts.total = Duration::ms(100);
  auto call = client.call(spec, heard);
  world.run();
  CHECK(heard.failure.timed_out);
  CHECK(heard.failure.stage == Stage::before_head);
}

TEST_CASE("curl: an answer that breaks off, is too large, compressed or no HTTP is a failure") {
  struct Case {
    const char* answer;
    ErrorKind kind;
    Stage stage;
    const char* says;
  };
  for (const Case& one : {
           Case{"", ErrorKind::gone, Stage::before_head, "broke"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", ErrorKind::gone, Stage::in_body,
                "too early"},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
                ErrorKind::gone, Stage::in_body, ""},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789",
                ErrorKind::broken, Stage::in_body, "larger than 10"},
           Case{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx", ErrorKind::broken,
                Stage::before_head, "compressed"},
           Case{"hello, who is there?\r\n\r\n", ErrorKind::broken, Stage::before_head, ""},
           Case{"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ErrorKind::broken, Stage::before_head, ""},
       }) {
    World world;
    INFO(one.answer);
    world.on_request = [&](Peer& peer) {
      peer.answer(one.answer);
      peer.stream->end_writing();
    };
    CurlClient client(world.loop.raw());
    Heard heard(world);
    auto spec = world.spec("POST", "/");
    spec.body_max = Bytes{10};
    auto call = client.call(spec, heard);
    world.run();
    REQUIRE(heard.events.back() == "fail");
    INFO(heard.failure.error.text);
    CHECK(heard.failure.error.kind == one.kind);
    CHECK(heard.failure.stage == one.stage);
    CHECK(has(heard.failure.error.text, one.says));
    CHECK_FALSE(heard.failure.timed_out);
  }
}

TEST_CASE("curl: a GET uses a connection again, a POST never does") {
  World world;
  CurlClient client(world.loop.raw());
  const auto once = [&](const char* method, bool fresh) {
    Heard heard(world);
    auto spec = world.spec(method, "/");
    spec.fresh_connection = fresh;
    auto call = client.call(spec, heard);
    world.run();
    CHECK(heard.events.back() == "end");
  };
  once("GET", false);
  once("GET", false);
  CHECK(world.peers.size() == 1);
  once("POST", false);
  CHECK(world.peers.size() == 2);
  once("POST", false);
  CHECK(world.peers.size() == 3);
  once("GET", true);
  CHECK(world.peers.size() == 4);
  once("GET", false);
  CHECK(world.peers.size() == 4);
}

TEST_CASE("curl: a POST that gets no answer is sent once") {
  World world;
  int requests = 0;
  world.on_request = [&](Peer& peer) {
    ++requests;
    peer.stream->reset();
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto spec = world.spec("POST", "/");
  spec.body = text("x");
  auto call = client.call(spec, heard);
  world.run();
  CHECK(heard.events == Events{"fail"});
  world.run_for(Duration::ms(50));
  CHECK(requests == 1);
  CHECK(heard.failure.stage == Stage::before_head);
  CHECK_FALSE(heard.failure.reused_connection);
}

TEST_CASE("curl: redirects are answers like others, and HEAD has no body") {
  World world;
  world.on_request = [](Peer& peer) {
    peer.answer("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 4\r\n\r\n");
  };
  CurlClient client(world.loop.raw());
  Heard heard(world);
  auto call = client.call(world.spec("HEAD", "/"), heard);
  world.run();
  CHECK(heard.events == Events{"head", "end"});
  CHECK(heard.head.status == 302);
  CHECK(world.peers.size() == 1);
}

TEST_CASE("curl: what could smuggle a second request is refused, in a later turn") {
  World world;
  CurlClient client(world.loop.raw());
  const auto refused = [&](const ports::HttpCallSpec& spec) {
    Heard heard(world);
    auto call = client.call(spec, heard);
    CHECK(heard.events.empty());
    world.run();
    CHECK(heard.events == Events{"fail"});
    return heard.failure.error.kind == ErrorKind::refused;
  };
  auto spec = world.spec("POST", "/");
  spec.fields.add("X-A", "b\r\nX-C: d");
  CHECK(refused(spec));
  spec = world.spec("POST", "/");
  spec.fields.add("X-A: b\r\nX", "c");
  CHECK(refused(spec));
  CHECK(refused(world.spec("POST", "/a b")));
  CHECK(refused(world.spec("POST", "@evil.example/")));
  CHECK(refused(world.spec("POST /x HTTP/1.1\r\n", "/")));
  spec = world.spec("POST", "/");
  spec.origin.address.host = "user@evil.example/";
  CHECK(refused(spec));
  CHECK(world.peers.empty());
}

TEST_CASE("curl: many calls at once end each exactly once") {
  World world;
  CurlClient client(world.loop.raw());
  std::vector<std::unique_ptr<Heard>> all;
  std::vector<std::unique_ptr<ports::HttpCall>> calls;
  size_t ended = 0;
  for (int i = 0; i < 50; ++i) {
    auto& heard = *all.emplace_back(std::make_unique<Heard>(world));
    heard.on_event = [&](const std::string& event) {
      if (event == "end" && ++ended < 50) return;
    };
    calls.push_back(client.call(world.spec(i % 2 == 0 ? "GET" : "POST", "/"), heard));
  }
  while (ended < 50) world.run();
  for (const auto& heard : all) CHECK(heard->events == Events{"head", "body", "end"});
}
