// Requests from anybody: the parser must not crash, and the events must not depend on how the
// bytes were cut on their way.
#include "drivers/http1/http1_parsers.h"
#include "tests/unit/http1/parse_trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const std::string bytes(data, data + size);
  drivers::Http1Parsers parsers;
  ports::HttpLimits limits;  // small, so that short inputs reach them
  limits.start_line_max = Bytes{200};
  limits.head_max = Bytes{600};
  limits.fields_max = 8;
  limits.chunk_line_max = Bytes{40};
  limits.trailer_max = Bytes{100};
  const std::string whole = testing::trace_requests(parsers, bytes, {}, limits);
  const auto single = testing::cuts_every(1, bytes.size());
  ENSURE(testing::trace_requests(parsers, bytes, single, limits) == whole);
  const size_t piece = size == 0 ? 1 : 2 + data[size - 1] % 29;
  const auto pieces = testing::cuts_every(piece, bytes.size());
  ENSURE(testing::trace_requests(parsers, bytes, pieces, limits) == whole);
  return 0;
}
