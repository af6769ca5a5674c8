// The client's side of a connection, step by step: what the client sends, what passes of time, and
// what it must see.
#include "firmware/proxy/http_connection.h"

#include <doctest/doctest.h>

#include "tests/script/connection_line.h"

namespace sluice::script {

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

TEST_CASE("connection: after so many requests it says close") {
  proxy::ConnectionRules rules;
  rules.requests_max = 3;
  Line line(rules);
  line.service.answer_at_end = true;
  line.client(std::string(kGet) + std::string(kGet));
  CHECK_FALSE(line.has_read("connection: close"));
  line.client(std::string(kGet) + std::string(kGet));
  CHECK(line.has_read("connection: close\r\n"));
  CHECK(line.wire->saw_fin());
  CHECK(line.service.paths.size() == 3);
}

TEST_CASE("connection: a name that the box does not go by is 421 and reaches nobody") {
  proxy::ConnectionRules rules;
  rules.host_names = proxy::HostNames{{"box.example.com"}, ""};
  const auto asked_as = [&rules](std::string_view host) {
    Line line(rules);
    line.service.answer_at_end = true;
    line.client("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    const bool refused = line.has_read("HTTP/1.1 421 Misdirected Request\r\n");
    CHECK(refused == line.service.paths.empty());
    CHECK(refused == line.wire->saw_fin());
    return !refused;
  };
  CHECK(asked_as("box"));
  CHECK(asked_as("box.example.com:8080"));
  CHECK_FALSE(asked_as("rebound.example.com"));
  Line old(rules);
  old.client(kOldGet);
  CHECK(old.service.paths.size() == 1);
  Line head(rules);
  head.client("HEAD / HTTP/1.1\r\nHost: rebound.example.com\r\n\r\n");
  CHECK(head.has_read("HTTP/1.1 421 "));
  CHECK(head.read().ends_with("\r\n\r\n"));
}

TEST_CASE("connection: an answer may take as long as it likes") {
  Line line;
  line.client(kGet);
  line.pass(Duration::seconds(3600));
  CHECK(line.service.gone == 0);
  line.service.whole("late");
  CHECK(line.has_read("late"));
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

}  // namespace sluice::script
