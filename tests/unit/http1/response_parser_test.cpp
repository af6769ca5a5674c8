// Answers as bytes: group 8 of the malformed messages, an engine or a proxy being at fault.
#include <doctest/doctest.h>

#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/http_vectors.h"
#include "tests/unit/http1/parse_trace.h"

namespace sluice::testing {

namespace {

using ports::HttpEvent;

std::string trace(const ResponseVector& vector, const std::vector<size_t>& cuts) {
  drivers::Http1Parsers parsers;
  return trace_responses(parsers, vector.bytes, cuts, vector.to_head);
}

// at_end() after the restart that follows a complete answer: no further answer came.
constexpr std::string_view kNoMore =
    "|fault 0 the connection closed before the answer's head was complete";

}  // namespace

TEST_CASE("response parser: good answers are told as they were sent") {
  int good = 0;
  for (const ResponseVector& vector : response_vectors()) {
    if (!vector.good) continue;
    ++good;
    CAPTURE(vector.id);
    std::string got = trace(vector, {});
    if (got.ends_with(kNoMore)) got.resize(got.size() - kNoMore.size());
    CHECK(got == vector.told);
  }
  CHECK(good > 15);
}

TEST_CASE("response parser: malformed and truncated answers are faults") {
  for (const ResponseVector& vector : response_vectors()) {
    if (vector.good) continue;
    CAPTURE(vector.id);
    const std::string got = trace(vector, {});
    CHECK(got.find("|fault 0 ") != std::string::npos);
    CHECK_MESSAGE(got.find(vector.told) != std::string::npos, got);
  }
}

TEST_CASE("response parser: any split gives the same events") {
  for (const ResponseVector& vector : response_vectors()) {
    CAPTURE(vector.id);
    const std::string whole = trace(vector, {});
    const size_t step = vector.bytes.size() > 2000 ? 97 : 1;
    for (size_t cut = 1; cut < vector.bytes.size(); cut += step) {
      REQUIRE(trace(vector, {cut}) == whole);
    }
    for (size_t size = 1; size <= 7; ++size) {
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
