// A form is found to have the same parts however it is cut; parts lie apart, in order, inside the
// body; a form whose model was renamed has that model and is otherwise the same.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/upstream/multipart_request.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=B";

MultipartScan scan_in_pieces(std::string_view body, size_t piece) {
  MultipartScan scan("B", wanted_fields());
  for (size_t at = 0; at < body.size(); at += piece) scan.feed(body.substr(at, piece));
  return scan;
}

void check_parts(const MultipartScan& scan, std::string_view body) {
  uint64_t end = 0;
  for (const MultipartPart& part : scan.parts()) {
    ENSURE(part.begin >= end && part.begin + part.size <= body.size());
    end = part.begin + part.size;
    ENSURE(!part.is_kept || part.value == body.substr(part.begin, part.size));
  }
}

void check_rename(const std::string& body) {
  const auto kept = std::make_shared<const ports::TextBody>(body);
  const Result<RequestBody> read = RequestReader(Endpoint::transcriptions, kType).finish(*kept);
  if (!read) return;
  const auto edited = body_for_node(kept, *read, "another-model", false);
  const Result<std::string> text =
      ports::read_range(*edited, 0, static_cast<size_t>(edited->size()));
  ENSURE(text.has_value());
  const Result<RequestBody> again =
      RequestReader(Endpoint::transcriptions, kType).finish(ports::TextBody(*text));
  ENSURE(again.has_value() && again->model == "another-model");
  ENSURE(again->stream == read->stream && again->choices == read->choices);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string body(reinterpret_cast<const char*>(bytes), size);
  MultipartScan whole = scan_in_pieces(body, size + 1);
  MultipartScan pieces = scan_in_pieces(body, 1);
  const Result<void> ok = whole.finish();
  ENSURE(ok.has_value() == pieces.finish().has_value());
  ENSURE(whole.parts().size() == pieces.parts().size());
  if (ok) {
    check_parts(whole, body);
    check_rename(body);
  } else {
    ENSURE(!ok.error().text.empty());
  }
  (void)multipart_boundary(body);
  return 0;
}
