#include <doctest/doctest.h>

#include <random>

#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/http_vectors.h"
#include "tests/unit/http1/parse_trace.h"

namespace sluice::testing {

namespace {

using ports::HttpEvent;
using ports::HttpLimits;

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string trace(const std::string& bytes) {
  drivers::Http1Parsers parsers;
  return trace_requests(parsers, bytes, {});
}

// Long vectors are cut at fewer places: every one in their first and last bytes.
size_t next_cut(size_t cut, size_t size) {
  return size > 2000 && cut > 300 && cut + 300 < size ? cut + 97 : cut + 1;
}

}  // namespace

TEST_CASE("request parser: every malformed class gets its status, every good message passes") {
  for (const RequestVector& vector : request_vectors()) {
    CAPTURE(vector.id);
    const std::string got = trace(vector.bytes);
    const int ended = count(got, "|end|");
    CHECK_MESSAGE((vector.ends ? ended >= vector.accepted : ended == vector.accepted), got);
    int faults = 0;
    for (const int status : vector.statuses) {
      faults += count(got, "|fault " + std::to_string(status) + " ");
    }
    CHECK_MESSAGE(faults == (vector.statuses.empty() ? 0 : 1), got);
    CHECK_MESSAGE(count(got, "|fault ") == faults, got);
  }
}

TEST_CASE("request parser: any split in two gives the same events") {
  drivers::Http1Parsers parsers;
  for (const RequestVector& vector : request_vectors()) {
    CAPTURE(vector.id);
    const std::string whole = trace(vector.bytes);
    const size_t size = vector.bytes.size();
    for (size_t cut = 1; cut < size; cut = next_cut(cut, size)) {
      REQUIRE(trace_requests(parsers, vector.bytes, {cut}) == whole);
    }
  }
}

TEST_CASE("request parser: pieces of one to seven bytes give the same events") {
  drivers::Http1Parsers parsers;
  for (const RequestVector& vector : request_vectors()) {
    CAPTURE(vector.id);
    const std::string whole = trace(vector.bytes);
    for (size_t size = 1; size <= 7; ++size) {
      REQUIRE(trace_requests(parsers, vector.bytes, cuts_every(size, vector.bytes.size())) ==
              whole);
    }
  }
}

// Good streams joined in a random order, cut in random places: the messages that come out are
// those of the parts, one after the other.
TEST_CASE("request parser: any split of any row of good requests gives the same requests") {
  drivers::Http1Parsers parsers;
  std::vector<std::string> good;
  for (const RequestVector& vector : request_vectors()) {
    const bool keeps = trace(vector.bytes).find(" close") == std::string::npos;
    if (vector.statuses.empty() && !vector.ends && keeps && vector.bytes.size() < 2000) {
      good.push_back(vector.bytes);
    }
  }
  REQUIRE(good.size() > 30);
  std::mt19937 random(20261122);  // a fixed seed: the same every time
  for (int round = 0; round < 300; ++round) {
    std::string row;
    std::string expected;
    for (int i = 0; i < 6; ++i) {
      const std::string& part = good[random() % good.size()];
      if (part.starts_with("\r\n")) continue;
      row += part;
      expected += trace(part);
    }
    std::vector<size_t> cuts;
    for (size_t at = 0; at < row.size();) {
      at += 1 + random() % (round % 2 == 0 ? 9 : 200);
      if (at < row.size()) cuts.push_back(at);
    }
    REQUIRE(trace_requests(parsers, row, cuts) == expected);
  }
}

TEST_CASE("request parser: the head is told as it was sent") {
  CHECK(
      trace("POST /v1/chat?x=1 HTTP/1.1\r\nhost: Box:1\r\nX-A:  b c \r\nContent-Length: "
            "2\r\n\r\nhi") ==
      "head POST /v1/chat?x=1 1.1 keep body length 2 host=Box:1 X-A=b c Content-Length=2|hi|end|");
  CHECK(trace("GET / HTTP/1.0\r\n\r\n") == "head GET / 1.0 close||end|");
}

TEST_CASE("request parser: who keeps the connection") {
  const auto keeps = [](const std::string& version, const std::string& fields) {
    const std::string bytes = "GET / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n";
    return count(trace(bytes), " keep") == 1;
  };
  CHECK(keeps("1.1", ""));
  CHECK_FALSE(keeps("1.1", "Connection: close\r\n"));
  CHECK_FALSE(keeps("1.1", "Connection: x, CLOSE\r\n"));
  CHECK_FALSE(keeps("1.1", "Connection: alive\r\nConnection: close\r\n"));
  CHECK(keeps("1.1", "Connection: closed\r\n"));
  CHECK_FALSE(keeps("1.0", ""));
  CHECK(keeps("1.0", "Connection: Keep-Alive\r\n"));
  CHECK_FALSE(keeps("1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("request parser: 100-continue counts only with a body and in HTTP/1.1") {
  const std::string expect = "Host: a\r\nExpect: 100-Continue\r\n";
  CHECK(count(trace("POST / HTTP/1.1\r\n" + expect + "Content-Length: 1\r\n\r\n"),
              "continue body") == 1);
  CHECK(count(trace("GET / HTTP/1.1\r\n" + expect + "\r\n"), " continue") == 0);
  CHECK(count(trace("POST / HTTP/1.0\r\n" + expect + "Content-Length: 1\r\n\r\n"), " continue") ==
        0);
}

TEST_CASE("request parser: body bytes are views into the input and need no second reading") {
  drivers::Http1Parsers parsers;
  const auto parser = parsers.request_parser({});
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(parser->step(head).consumed == head.size());
  const std::string body = "5\r\nhello\r\n0\r\n\r\n";
  const auto step = parser->step(body);
  CHECK(step.event == HttpEvent::body);
  CHECK(step.body == "hello");
  CHECK(step.body.data() == body.data() + 3);
  CHECK(step.consumed == 8);
  CHECK(parser->step(std::string_view(body).substr(8)).event == HttpEvent::end);
}

TEST_CASE("request parser: what is kept for more bytes stays below the limits") {
  drivers::Http1Parsers parsers;
  HttpLimits limits;
  limits.start_line_max = Bytes{100};
  limits.head_max = Bytes{300};
  const auto parser = parsers.request_parser(limits);
  ParseTrace trace;
  size_t kept_max = 0;
  const std::string start = "GET / HTTP/1.1\r\n";
  bool open = trace.feed(*parser, start, [] {});
  while (open) {
    open = trace.feed(*parser, "X: y\r\n", [] {});
    kept_max = std::max(kept_max, trace.kept());
  }
  CHECK(kept_max <= 310);
  CHECK(trace.text_so_far() == "|fault 431 the fields are too large");
}

TEST_CASE("request parser: a fault stays a fault") {
  drivers::Http1Parsers parsers;
  const auto parser = parsers.request_parser({});
  CHECK(parser->step("\x01").status == 400);
  CHECK(parser->step("GET / HTTP/1.1\r\nHost: a\r\n\r\n").event == HttpEvent::fault);
}

TEST_CASE("request parser: after the end nothing is read until the restart") {
  drivers::Http1Parsers parsers;
  const auto parser = parsers.request_parser({});
  const std::string one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(parser->step(one).event == HttpEvent::head);
  CHECK(parser->step("").event == HttpEvent::end);
  CHECK(parser->step(one).event == HttpEvent::need_more);
  CHECK(parser->step(one).consumed == 0);
  parser->restart();
  CHECK(parser->step(one).event == HttpEvent::head);
}

}  // namespace sluice::testing
