// A body that is accepted can be edited, and what was edited is read as it was meant.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "firmware/base/check.h"
#include "firmware/upstream/request_body.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

void check_edits(const std::shared_ptr<const std::string>& body, const RequestBody& read,
                 Endpoint endpoint) {
  ENSURE(body_for_node(body, read, read.model, false) == body);
  const auto edited = body_for_node(body, read, "other \"model\"", true);
  const Result<RequestBody> again = read_request_body(*edited, endpoint);
  ENSURE(again.has_value());
  ENSURE(again->model == "other \"model\"");
  ENSURE(again->stream == read.stream);
  ENSURE(again->wants_usage == (read.wants_usage || read.stream));
  ENSURE(again->output_max == read.output_max);
  ENSURE(again->choices == read.choices);
  ENSURE(again->prompt_bytes == read.prompt_bytes);
  const size_t before = read.model_begin;
  if (read.options_size == 0 || read.options_begin > before) {
    ENSURE(edited->compare(0, before, *body, 0, before) == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto body = std::make_shared<const std::string>(reinterpret_cast<const char*>(bytes), size);
  for (const Endpoint endpoint :
       {Endpoint::chat_completions, Endpoint::completions, Endpoint::embeddings}) {
    const Result<RequestBody> read = read_request_body(*body, endpoint);
    if (read) {
      check_edits(body, *read, endpoint);
    } else {
      ENSURE(read.error().kind == ErrorKind::refused && !read.error().text.empty());
    }
  }
  return 0;
}
