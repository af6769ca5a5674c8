#include "firmware/upstream/multipart_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"

namespace sluice::upstream {

namespace {

constexpr size_t kModelNameMax = 256;
constexpr int64_t kChoicesMax = 128;
constexpr uint64_t kTextBytesPerToken = 4;

Error refused(std::string text) { return {ErrorKind::refused, "body", std::move(text)}; }

// The one field of this name; null if there is none.
Result<const MultipartPart*> field(const MultipartScan& scan, std::string_view name) {
  const MultipartPart* found = nullptr;
  for (const MultipartPart& part : scan.parts()) {
    if (part.name != name) continue;
    if (found != nullptr) return refused(fmt::format("the form has two fields \"{}\"", name));
    if (part.is_file) return refused(fmt::format("\"{}\" must be a field, not a file", name));
    found = &part;
  }
  return found;
}

Result<void> read_model(const MultipartScan& scan, RequestBody& read) {
  const Result<const MultipartPart*> model = field(scan, "model");
  if (!model) return model.error();
  if (*model == nullptr) return refused("you must provide a \"model\" field");
  const std::string& name = (*model)->value;
  const bool odd = std::any_of(name.begin(), name.end(),
                               [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (name.empty() || name.size() > kModelNameMax || odd) {
    return refused("\"model\" must have 1 to 256 bytes, in one line");
  }
  read.model = name;
  read.model_begin = static_cast<size_t>((*model)->begin);
  read.model_size = static_cast<size_t>((*model)->size);
  return {};
}

Result<void> read_stream(const MultipartScan& scan, const EndpointFacts& facts, RequestBody& read) {
  const Result<const MultipartPart*> stream = field(scan, "stream");
  if (!stream) return stream.error();
  if (*stream == nullptr) return {};
  const std::string& word = (*stream)->value;
  const bool yes = equal_ignoring_case(word, "true") || word == "1";
  const bool no = equal_ignoring_case(word, "false") || word == "0" || word.empty();
  if (!yes && !no) return refused("\"stream\" must be true or false");
  read.stream = yes && facts.may_stream;
  return {};
}

Result<void> read_choices(const MultipartScan& scan, RequestBody& read) {
  const Result<const MultipartPart*> n = field(scan, "n");
  if (!n) return n.error();
  if (*n == nullptr) return {};
  const auto number = to_integer((*n)->value);
  if (!number || *number < 1 || *number > kChoicesMax) {
    return refused(fmt::format("\"n\" must be a whole number from 1 to {}", kChoicesMax));
  }
  read.choices = static_cast<int>(*number);
  return {};
}

}  // namespace

std::vector<std::string> wanted_fields() { return {"model", "stream", "n"}; }

Result<RequestBody> read_form(const MultipartScan& scan, const EndpointFacts& facts) {
  RequestBody read;
  read.is_form = true;
  if (Result<void> ok = read_model(scan, read); !ok) return ok.error();
  if (Result<void> ok = read_stream(scan, facts, read); !ok) return ok.error();
  if (Result<void> ok = read_choices(scan, read); !ok) return ok.error();
  uint64_t bytes = 0;
  for (const MultipartPart& part : scan.parts()) {
    bytes += part.is_file ? part.size * kTextBytesPerToken / kFileBytesPerToken : part.size;
  }
  read.prompt_bytes = static_cast<size_t>(bytes);
  return read;
}

}  // namespace sluice::upstream
