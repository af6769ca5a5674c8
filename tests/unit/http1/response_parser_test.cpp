// Answers as bytes: group 8 of the malformed messages, an engine or a proxy being at fault.
#include <doctest/doctest.h>

#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/parse_trace.h"

namespace sluice::testing {

namespace {

using ports::HttpEvent;

struct ResponseVector {
  const char* id;
  std::string bytes;
  const char* expected;  // the trace, or its last part when it begins with "..."
  bool to_head = false;
};

std::string ok(const std::string& fields, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}
std::string chunked(const std::string& body) { return ok("Transfer-Encoding: chunked\r\n", body); }

std::vector<ResponseVector> good_answers() {
  return {
      {"counted", ok("Content-Length: 2\r\n", "hi"),
       "head 200 keep length 2 Content-Length=2|hi|end|"},
      {"empty", ok("Content-Length: 0\r\n", ""), "head 200 keep length 0 Content-Length=0||end|"},
      {"chunked", chunked("2\r\nhi\r\n1;x=y\r\n!\r\n0\r\nT: 1\r\n\r\n"),
       "head 200 keep Transfer-Encoding=chunked|hi!|end|"},
      {"until close", ok("", "hi"), "head 200 close|hi|end|"},
      {"until close, empty", ok("", ""), "head 200 close||end|"},
      {"close", ok("Connection: close\r\nContent-Length: 2\r\n", "hi"),
       "head 200 close length 2 Connection=close Content-Length=2|hi|end|"},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       "head 200 close length 2 Content-Length=2|hi|end|"},
      {"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
       "head 200 keep length 2 Connection=keep-alive Content-Length=2|hi|end|"},
      {"no phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
       "head 200 keep length 0 Content-Length=0||end|"},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", "head 204 keep||end|"},
      {"204 with length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
       "head 204 keep length 0 Content-Length=0||end|"},
      {"304 with length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
       "head 304 keep length 9 Content-Length=9||end|"},
      {"to HEAD", ok("Content-Length: 9\r\n", ""), "head 200 keep length 9 Content-Length=9||end|",
       true},
      {"to HEAD, chunked", ok("Transfer-Encoding: chunked\r\n", ""),
       "head 200 keep Transfer-Encoding=chunked||end|", true},
      {"1xx skipped",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" +
           ok("Content-Length: 1\r\n", "x"),
       "head 200 keep length 1 Content-Length=1|x|end|"},
      {"two", ok("Content-Length: 1\r\n", "x") + ok("Content-Length: 1\r\n", "y"),
       "head 200 keep length 1 Content-Length=1|x|end|head 200 keep length 1 "
       "Content-Length=1|y|end|"},
  };
}

std::vector<ResponseVector> badly_framed_answers() {
  std::string flood;
  for (int i = 0; i < 9; ++i) flood += "HTTP/1.1 100 Continue\r\n\r\n";
  return {
      {"length and coding", ok("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       "Content-Length beside Transfer-Encoding"},
      {"length twice", ok("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"), "given twice"},
      {"length list", ok("Content-Length: 2, 2\r\n", "hi"), "not one possible number"},
      {"length minus", ok("Content-Length: -1\r\n", "hi"), "not one possible number"},
      {"length overflow", ok("Content-Length: 99999999999999999999\r\n", "hi"), "not one possible"},
      {"length empty", ok("Content-Length:\r\n", "hi"), "not one possible number"},
      {"coding gzip", ok("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "not supported"},
      {"coding identity", ok("Transfer-Encoding: identity\r\n", "hi"), "not supported"},
      {"coding twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""),
       "given twice"},
      {"coding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "in HTTP/1.0"},
      {"204 with length", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nhi", "where none may be"},
      {"204 with coding", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
       "where none may be"},
      {"100 with length", "HTTP/1.1 100 C\r\nContent-Length: 2\r\n\r\nhi", "where none may be"},
      {"204 with bytes behind", "HTTP/1.1 204 No\r\n\r\nhi",
       "|end||fault 0 the connection closed before"},
      {"101", "HTTP/1.1 101 Switch\r\nUpgrade: h2c\r\n\r\n", "nobody asked for"},
      {"1xx flood", flood + ok("", ""), "too many informational"},
  };
}

std::vector<ResponseVector> badly_written_answers() {
  return {
      {"empty line first", "\r\n" + ok("", ""), "no HTTP version"},
      {"no version", "200 OK\r\n\r\n", "no HTTP version"},
      {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "only HTTP/1.0"},
      {"lower case", "http/1.1 200 OK\r\n\r\n", "no HTTP version"},
      {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "not a status line"},
      {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "not a status line"},
      {"status of letters", "HTTP/1.1 2x0 OK\r\n\r\n", "not a status line"},
      {"status 099", "HTTP/1.1 099 OK\r\n\r\n", "outside 100 to 599"},
      {"status 600", "HTTP/1.1 600 OK\r\n\r\n", "outside 100 to 599"},
      {"two blanks", "HTTP/1.1  200 OK\r\n\r\n", "not a status line"},
      {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "LF alone"},
      {"bare CR", "HTTP/1.1 200 OK\rX\r\n\r\n", "CR without LF"},
      {"control", ok("X: \x02\r\n", ""), "control character"},
      {"NUL", ok(std::string("X: \0\r\n", 6), ""), "control character"},
      {"folded", ok("X: a\r\n b\r\n", ""), "folded"},
      {"blank before colon", ok("Content-Length : 2\r\n", "hi"), "not a name, a colon"},
      {"endless status line", "HTTP/1.1 200 " + std::string(9000, 'x'), "start line is too long"},
      {"endless field", ok("X: " + std::string(17000, 'x'), ""), "fields are too large"},
      {"chunk size 0x", chunked("0x2\r\nhi\r\n0\r\n\r\n"), "not a chunk size"},
      {"chunk size overflow", chunked("80000000000000000\r\nhi"), "chunk size is too long"},
      {"chunk size 2^63", chunked("8000000000000000\r\nhi"), "chunk size is too large"},
      {"chunk without end", chunked("2\r\nhi0\r\n\r\n"), "longer than its size"},
      {"chunk LF", chunked("2\nhi\r\n0\r\n\r\n"), "LF alone"},
      {"endless chunk line", chunked("2;" + std::string(300, 'x')), "line is too long"},
      {"trailer length", chunked("0\r\nContent-Length: 1\r\n\r\n"), "change the framing"},
      {"truncated head", "HTTP/1.1 200 OK\r\nX: y\r\n", "closed before the answer's head"},
      {"nothing", "", "closed before the answer's head"},
      {"only 1xx", "HTTP/1.1 100 C\r\n\r\n", "closed before the answer's head"},
      {"truncated length", ok("Content-Length: 5\r\n", "hi"), "closed inside the body"},
      {"truncated chunk", chunked("5\r\nhi"), "closed inside the body"},
      {"missing last chunk", chunked("2\r\nhi\r\n"), "closed inside the body"},
      {"half a last chunk", chunked("2\r\nhi\r\n0\r\n"), "closed inside the body"},
  };
}

std::vector<ResponseVector> bad_answers() {
  std::vector<ResponseVector> all = badly_framed_answers();
  for (ResponseVector& vector : badly_written_answers()) all.push_back(std::move(vector));
  return all;
}

std::string trace(const ResponseVector& vector, const std::vector<size_t>& cuts) {
  drivers::Http1Parsers parsers;
  return trace_responses(parsers, vector.bytes, cuts, vector.to_head);
}

// at_end() after the restart that follows a complete answer: no further answer came.
constexpr std::string_view kNoMore =
    "|fault 0 the connection closed before the answer's head was complete";

}  // namespace

TEST_CASE("response parser: good answers are told as they were sent") {
  for (const ResponseVector& vector : good_answers()) {
    CAPTURE(vector.id);
    std::string got = trace(vector, {});
    if (got.ends_with(kNoMore)) got.resize(got.size() - kNoMore.size());
    CHECK(got == vector.expected);
  }
}

TEST_CASE("response parser: malformed and truncated answers are faults") {
  for (const ResponseVector& vector : bad_answers()) {
    CAPTURE(vector.id);
    const std::string got = trace(vector, {});
    CHECK(got.find("|fault 0 ") != std::string::npos);
    CHECK_MESSAGE(got.find(vector.expected) != std::string::npos, got);
  }
}

TEST_CASE("response parser: any split gives the same events") {
  std::vector<ResponseVector> all = good_answers();
  for (ResponseVector& vector : bad_answers()) all.push_back(std::move(vector));
  for (const ResponseVector& vector : all) {
    CAPTURE(vector.id);
    const std::string whole = trace(vector, {});
    const size_t step = vector.bytes.size() > 2000 ? 97 : 1;
    for (size_t cut = 1; cut < vector.bytes.size(); cut += step) {
      REQUIRE(trace(vector, {cut}) == whole);
    }
    for (size_t size = 1; size <= 5; ++size) {
      REQUIRE(trace(vector, cuts_every(size, vector.bytes.size())) == whole);
    }
  }
}

TEST_CASE("response parser: the close completes a body without a length, once") {
  drivers::Http1Parsers parsers;
  const auto parser = parsers.response_parser({});
  parser->restart(false);
  const std::string head = "HTTP/1.1 200 OK\r\n\r\n";
  CHECK(parser->step(head).event == HttpEvent::head);
  CHECK(parser->step("abc").body == "abc");
  CHECK(parser->step("").event == HttpEvent::need_more);
  CHECK(parser->at_end().event == HttpEvent::end);
  CHECK(parser->at_end().event == HttpEvent::need_more);
}

}  // namespace sluice::testing
