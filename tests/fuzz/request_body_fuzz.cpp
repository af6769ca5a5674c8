// A body that is accepted can be edited, and what was edited is read as it was meant; a body that
// is read in pieces is read as one that is read whole.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "firmware/base/check.h"
#include "firmware/upstream/request_body.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

using Body = std::shared_ptr<const ports::HttpBody>;

// Gives a few bytes at a time, as a disk would give pieces.
class Pieces final : public ports::HttpBody {
 public:
  explicit Pieces(const std::string& text) : text_(text) {}
  uint64_t size() const override { return text_.size(); }
  Result<std::string_view> at(uint64_t offset, std::string&) const override {
    return std::string_view(text_).substr(offset, 5);
  }

 private:
  const std::string& text_;
};

std::string all_of(const Body& body) {
  return *ports::read_range(*body, 0, static_cast<size_t>(body->size()));
}

void check_edits(const Body& body, const RequestBody& read, Endpoint endpoint) {
  ENSURE(body_for_node(body, read, read.model, false) == body);
  const std::string before = all_of(body);
  const std::string edited = all_of(body_for_node(body, read, "other \"model\"", true));
  const Result<RequestBody> again = RequestReader(endpoint).finish(ports::TextBody(edited));
  ENSURE(again.has_value());
  ENSURE(again->model == "other \"model\"");
  ENSURE(again->stream == read.stream);
  ENSURE(again->wants_usage == (read.wants_usage || read.stream));
  ENSURE(again->output_max == read.output_max);
  ENSURE(again->choices == read.choices);
  ENSURE(again->prompt_bytes == read.prompt_bytes);
  if (read.options_size == 0 || read.options_begin > read.model_begin) {
    ENSURE(edited.compare(0, read.model_begin, before, 0, read.model_begin) == 0);
  }
}

// Numbers beyond any range are all that the two readers see otherwise.
bool is_a_question_of_range(const std::string& text) {
  int digits = 0;
  for (const char c : text) {
    digits = (c >= '0' && c <= '9') || c == '.' ? digits + 1 : 0;
    if (digits > 15 || ((c == 'e' || c == 'E') && text.find_first_of("0123456789") != text.npos)) {
      return true;
    }
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  const Body body = std::make_shared<ports::TextBody>(text);
  for (const Endpoint endpoint :
       {Endpoint::chat_completions, Endpoint::completions, Endpoint::embeddings}) {
    const Result<RequestBody> read = RequestReader(endpoint).finish(*body);
    const Result<RequestBody> pieces = RequestReader(endpoint).finish(Pieces(text));
    if (!is_a_question_of_range(text)) ENSURE(read.has_value() == pieces.has_value());
    if (read && pieces) {
      ENSURE(read->model == pieces->model && read->model_begin == pieces->model_begin);
      ENSURE(read->prompt_bytes == pieces->prompt_bytes);
      ENSURE(read->close_brace == pieces->close_brace);
    }
    if (read) {
      check_edits(body, *read, endpoint);
    } else {
      ENSURE(read.error().kind == ErrorKind::refused && !read.error().text.empty());
    }
  }
  return 0;
}
