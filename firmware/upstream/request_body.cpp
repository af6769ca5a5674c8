#include "firmware/upstream/request_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "firmware/base/text.h"
#include "firmware/ports/json.h"
#include "firmware/ports/json_scan.h"
#include "firmware/upstream/edited_body.h"
#include "firmware/upstream/multipart_request.h"

namespace sluice::upstream {

namespace {

constexpr int64_t kOutputTokensMax = 10'000'000;
constexpr int64_t kChoicesMax = 128;
constexpr size_t kModelNameMax = 256;
constexpr size_t kResponseIdMax = 256;
constexpr size_t kValueMax = 64 * 1024;  // of a member that is read, as JSON text

Error refused(std::string text) { return {ErrorKind::refused, "body", std::move(text)}; }

// Reads the members of one body. Errors: as RequestReader::finish.
class Members {
 public:
  Members(const ports::HttpBody& body, const ports::JsonScan& scan) : body_(body), scan_(scan) {}

  const ports::JsonMember* find(std::string_view key) const { return scan_.find(key); }
  Result<std::string> text(const ports::JsonMember& member) const {
    if (member.value_size > kValueMax) {
      return refused(fmt::format("\"{}\" is longer than {} bytes", member.key, kValueMax));
    }
    return ports::read_range(body_, member.value_begin, member.value_size);
  }

 private:
  const ports::HttpBody& body_;
  const ports::JsonScan& scan_;
};

Result<int64_t> read_whole(const Members& members, const ports::JsonMember& member, int64_t max) {
  const Result<std::string> text = members.text(member);
  if (!text) return text.error();
  if (*text == "null") return int64_t{0};
  const auto number = to_integer(*text);
  if (!number || *number < 0 || *number > max) {
    return refused(fmt::format("\"{}\" must be a whole number from 0 to {}", member.key, max));
  }
  return *number;
}

Result<void> read_stream(const Members& members, const EndpointFacts& facts, RequestBody& read) {
  const ports::JsonMember* stream = members.find("stream");
  if (stream == nullptr) return {};
  const Result<std::string> text = members.text(*stream);
  if (!text) return text.error();
  if (*text != "true" && *text != "false" && *text != "null") {
    return refused("\"stream\" must be true or false");
  }
  read.stream = *text == "true" && facts.may_stream;
  return {};
}

Result<void> read_stream_options(const Members& members, RequestBody& read) {
  const ports::JsonMember* options = members.find("stream_options");
  if (options == nullptr) return {};
  Result<std::string> text = members.text(*options);
  if (!text) return text.error();
  read.options_begin = options->value_begin;
  read.options_size = options->value_size;
  read.options = *std::move(text);
  if (read.options == "null") return {};
  const Result<ports::JsonValue> value = ports::parse_json(read.options);
  if (!value || value->as_object() == nullptr)
    return refused("\"stream_options\" must be an object");
  read.wants_usage = value->boolean("include_usage");
  return {};
}

Result<void> read_model(const Members& members, RequestBody& read) {
  const ports::JsonMember* model = members.find("model");
  if (model == nullptr) return refused("you must provide a \"model\" parameter");
  const Result<std::string> text = members.text(*model);
  if (!text) return text.error();
  Result<std::string> name = ports::read_json_string(*text);
  if (!name) return refused("\"model\" must be a string");
  if (name->empty() || name->size() > kModelNameMax) {
    return refused("\"model\" must have 1 to 256 bytes");
  }
  read.model = std::move(*name);
  read.model_begin = model->value_begin;
  read.model_size = model->value_size;
  return {};
}

Result<void> read_bounds(const Members& members, RequestBody& read) {
  for (const char* key : {"max_completion_tokens", "max_output_tokens", "max_tokens"}) {
    const ports::JsonMember* member = members.find(key);
    if (member == nullptr) continue;
    const Result<int64_t> number = read_whole(members, *member, kOutputTokensMax);
    if (!number) return number.error();
    if (read.output_max.count == 0) read.output_max.count = *number;
  }
  if (const ports::JsonMember* n = members.find("n")) {
    const Result<int64_t> number = read_whole(members, *n, kChoicesMax);
    if (!number) return number.error();
    read.choices = static_cast<int>(std::max<int64_t>(1, *number));
  }
  return {};
}

Result<void> read_previous(const Members& members, Endpoint endpoint, RequestBody& read) {
  const ports::JsonMember* member = members.find("previous_response_id");
  if (endpoint != Endpoint::responses || member == nullptr) return {};
  const Result<std::string> text = members.text(*member);
  if (!text) return text.error();
  if (*text == "null") return {};
  Result<std::string> id = ports::read_json_string(*text);
  if (!id || id->empty() || id->size() > kResponseIdMax) {
    return refused("\"previous_response_id\" must be a string of 1 to 256 bytes");
  }
  read.previous_response = std::move(*id);
  return {};
}

Result<void> measure_prompt(const Members& members, const EndpointFacts& facts, RequestBody& read) {
  const std::string_view needed = facts.prompt_key;
  const ports::JsonMember* prompt = needed.empty() ? nullptr : members.find(needed);
  if (prompt == nullptr && !needed.empty()) {
    return refused(fmt::format("you must provide a \"{}\" parameter", needed));
  }
  if (prompt != nullptr) read.prompt_bytes = prompt->value_size;
  const std::string_view more_key = facts.more_prompt_key;
  const ports::JsonMember* more = more_key.empty() ? nullptr : members.find(more_key);
  if (more != nullptr) read.prompt_bytes += more->value_size;
  return {};
}

BodyRange range_of(const ports::JsonMember* member) {
  return member == nullptr ? BodyRange() : BodyRange{member->value_begin, member->value_size};
}

void find_prompt(const Members& members, RequestBody& read) {
  constexpr size_t kEmptyList = 2;  // "[]"; null says as much
  constexpr size_t kNull = 4;
  read.tools = range_of(members.find("tools"));
  if (read.tools.size <= std::max(kEmptyList, kNull)) read.tools = {};
  for (const char* key : {"system", "instructions"}) {
    if (const ports::JsonMember* member = members.find(key)) read.system = range_of(member);
  }
  for (const char* key : {"messages", "prompt", "input"}) {
    if (const ports::JsonMember* member = members.find(key)) read.prompt = range_of(member);
  }
}

// response_format of chat completions, text.format of responses.
Result<void> find_schema(const Members& members, RequestBody& read) {
  for (const char* key : {"response_format", "text"}) {
    const ports::JsonMember* member = members.find(key);
    if (member == nullptr || member->value_size > kValueMax) continue;
    const Result<std::string> text = members.text(*member);
    if (!text) return text.error();
    const bool names = text->find("\"json_schema\"") != std::string::npos ||
                       text->find("\"json_object\"") != std::string::npos;
    read.wants_schema = read.wants_schema || names;
  }
  return {};
}

BodyEdit usage_edit(const RequestBody& read) {
  constexpr std::string_view kAsk = "\"include_usage\":true";
  if (read.options_size == 0) {
    return {read.close_brace, 0, fmt::format(",\"stream_options\":{{{}}}", kAsk)};
  }
  if (read.options == "null")
    return {read.options_begin, read.options_size, fmt::format("{{{}}}", kAsk)};
  // The client's own options stay; include_usage:false among them is replaced.
  Result<ports::JsonValue> value = ports::parse_json(read.options);
  ports::JsonValue::Object members;
  if (value && value->as_object() != nullptr) members = *value->as_object();
  std::erase_if(members, [](const auto& member) { return member.first == "include_usage"; });
  members.emplace_back("include_usage", ports::JsonValue(true));
  return {read.options_begin, read.options_size, ports::to_json(ports::JsonValue(members))};
}

}  // namespace

Result<void> RequestReader::advance_form(const ports::HttpBody& so_far) {
  if (!form_) {
    const Result<std::string> boundary = multipart_boundary(content_type_);
    if (!boundary) return boundary.error();
    form_.emplace(*boundary, wanted_fields());
  }
  while (scanned_ < so_far.size() && !form_->fault()) {
    const Result<std::string_view> piece = so_far.at(scanned_, buffer_);
    if (!piece) return piece.error();
    form_->feed(*piece);
    scanned_ += piece->size();
  }
  if (form_->fault()) return *form_->fault();
  return {};
}

Result<void> RequestReader::advance(const ports::HttpBody& so_far) {
  if (facts_of(endpoint_).multipart) return advance_form(so_far);
  if (!pieces_) pieces_.emplace();
  while (scanned_ < so_far.size() && !pieces_->fault()) {
    const Result<std::string_view> piece = so_far.at(scanned_, buffer_);
    if (!piece) return piece.error();
    pieces_->feed(*piece);
    scanned_ += piece->size();
  }
  if (pieces_->fault()) return *pieces_->fault();
  return {};
}

Result<ports::JsonScan> RequestReader::scan(const ports::HttpBody& whole) {
  if (!pieces_) {
    const Result<std::string_view> text = whole.at(0, buffer_);
    if (!text) return text.error();
    if (text->size() == whole.size()) return ports::scan_json_object(*text);
  }
  if (Result<void> ok = advance(whole); !ok) return ok.error();
  return pieces_->finish();
}

Result<RequestBody> RequestReader::finish(const ports::HttpBody& whole) {
  if (facts_of(endpoint_).multipart) {
    if (Result<void> ok = advance_form(whole); !ok) return ok.error();
    if (Result<void> ok = form_->finish(); !ok) return ok.error();
    return read_form(*form_, facts_of(endpoint_));
  }
  const Result<ports::JsonScan> found = scan(whole);
  if (!found) return found.error();
  const Members members(whole, *found);
  const EndpointFacts& facts = facts_of(endpoint_);
  RequestBody read;
  read.close_brace = found->close_brace;
  if (Result<void> ok = read_model(members, read); !ok) return ok.error();
  if (Result<void> ok = read_stream(members, facts, read); !ok) return ok.error();
  if (Result<void> ok = read_stream_options(members, read); !ok) return ok.error();
  if (Result<void> ok = read_bounds(members, read); !ok) return ok.error();
  if (Result<void> ok = read_previous(members, endpoint_, read); !ok) return ok.error();
  if (Result<void> ok = measure_prompt(members, facts, read); !ok) return ok.error();
  find_prompt(members, read);
  if (Result<void> ok = find_schema(members, read); !ok) return ok.error();
  return read;
}

std::shared_ptr<const ports::HttpBody> body_for_node(
    const std::shared_ptr<const ports::HttpBody>& body, const RequestBody& read,
    const std::string& upstream_model, bool ask_for_usage) {
  std::vector<BodyEdit> edits;
  if (upstream_model != read.model) {
    std::string name = read.is_form ? upstream_model : ports::write_json_string(upstream_model);
    edits.push_back({read.model_begin, read.model_size, std::move(name)});
  }
  if (ask_for_usage && read.stream && !read.wants_usage) edits.push_back(usage_edit(read));
  if (edits.empty()) return body;
  std::sort(edits.begin(), edits.end(),
            [](const BodyEdit& a, const BodyEdit& b) { return a.begin < b.begin; });
  return std::make_shared<EditedBody>(body, std::move(edits));
}

}  // namespace sluice::upstream
