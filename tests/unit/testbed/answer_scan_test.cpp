#include "tests/testbed/answer_scan.h"

#include <doctest/doctest.h>

using namespace sluice::testbed;

namespace {

AnswerScan scanned(std::string_view bytes, std::size_t piece) {
  AnswerScan scan;
  for (std::size_t at = 0; at < bytes.size() && !scan.done() && !scan.broken(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    CHECK((scan.feed(part) == part.size() || scan.done() || scan.broken()));
  }
  return scan;
}

}  // namespace

TEST_CASE("answer scan: events and bytes are counted in whatever pieces an answer comes") {
  const std::string_view stream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: a\n\n\r\n5\r\ndata:\r\n4\r\n b\n\n\r\n10\r\ndata: c\n\ndata: \n\r\n1\r\n\n\r\n"
      "0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    CAPTURE(piece);
    const AnswerScan scan = scanned(stream, piece);
    CHECK(scan.done());
    CHECK(scan.status() == 200);
    CHECK(scan.events() == 4);
    CHECK(scan.body_bytes() == 9 + 5 + 4 + 16 + 1);
  }
}

TEST_CASE("answer scan: a counted answer ends where it says, and what follows is not taken") {
  const std::string answer = "HTTP/1.1 503 No\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
  AnswerScan scan;
  CHECK(scan.feed(answer + "HTTP/1.1 200") == answer.size());
  CHECK(scan.done());
  CHECK(scan.status() == 503);
  CHECK(scan.closes());
  CHECK(scan.body_bytes() == 3);
  CHECK(scanned("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", 7).done());
}

TEST_CASE("answer scan: what is no answer, or cannot be framed, is broken") {
  CHECK(scanned("garbage that is no head\r\n\r\n", 5).broken());
  CHECK(scanned("HTTP/1.1 200 OK\r\n\r\n", 100).broken());
  CHECK(scanned("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 100).broken());
  CHECK(scanned("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 100)
            .broken());
}
