// The client before an engine that answers with each of the vectors: one end or one failure, and
// what could be taken for the next answer is never kept.
#include <doctest/doctest.h>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/fake_net.h"
#include "tests/unit/http1/http_vectors.h"

namespace sluice::testing {

namespace {

struct Ending final : ports::HttpCallSink {
  void on_head(const ports::HttpResponseHead&) override { ++heads; }
  void on_body(std::string_view bytes) override { body += bytes; }
  void on_end() override { ++ends; }
  void on_fail(const ports::HttpFailure& failure) override {
    ++fails;
    why = failure.error.text;
  }
  int heads = 0;
  int ends = 0;
  int fails = 0;
  std::string body;
  std::string why;
};

// The engine sends the bytes in pieces of this size and closes.
Ending hear(const ResponseVector& vector, size_t piece, size_t* resting) {
  FakeTime time;
  FakeDialer dialer;
  drivers::Http1Parsers parsers;
  drivers::Http1Client client{dialer, time, time, parsers};
  ports::HttpCallSpec spec;
  spec.origin = ports::parse_origin("http://engine:8000").value();
  spec.target = "/v1/chat/completions";
  spec.method = vector.to_head ? "HEAD" : "POST";
  Ending ending;
  const auto call = client.call(std::move(spec), ending);
  const auto wire = dialer.connect();
  for (size_t at = 0; at < vector.bytes.size() && wire->is_open(); at += piece) {
    wire->answer(std::string_view(vector.bytes).substr(at, piece));
  }
  *resting = client.resting_connections();
  if (wire->is_open()) wire->sink->on_end();
  time.turn();
  CHECK(client.resting_connections() == 0);
  return ending;
}

}  // namespace

TEST_CASE("client: every malformed answer is one failure, every good one ends once") {
  int good = 0;
  int bad = 0;
  for (const ResponseVector& vector : response_vectors()) {
    for (const size_t piece : {vector.bytes.size() + 1, size_t{1}, size_t{3}}) {
      CAPTURE(vector.id);
      CAPTURE(piece);
      size_t resting = 0;
      const Ending ending = hear(vector, piece, &resting);
      const bool whole = vector.good || vector.served;
      CHECK(ending.ends == (whole ? 1 : 0));
      CHECK(ending.fails == (whole ? 0 : 1));
      CHECK(ending.heads <= 1);
      CHECK((whole || !ending.why.empty()));
      if (vector.served && piece > vector.bytes.size()) CHECK(resting == 0);
      ++(whole ? good : bad);
    }
  }
  CHECK(good > 40);
  CHECK(bad > 150);
}

}  // namespace sluice::testing
