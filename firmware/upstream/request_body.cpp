#include "firmware/upstream/request_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "firmware/base/text.h"
#include "firmware/ports/json.h"
#include "firmware/ports/json_scan.h"

namespace sluice::upstream {

namespace {

constexpr int64_t kOutputTokensMax = 10'000'000;
constexpr int64_t kChoicesMax = 128;
constexpr size_t kModelNameMax = 256;
constexpr size_t kResponseIdMax = 256;

Error refused(std::string text) { return {ErrorKind::refused, "body", std::move(text)}; }

std::string_view value_of(std::string_view body, const ports::JsonMember& member) {
  return body.substr(member.value_begin, member.value_size);
}

Result<int64_t> read_whole(std::string_view body, const ports::JsonMember& member, int64_t max) {
  const std::string_view text = value_of(body, member);
  if (text == "null") return int64_t{0};
  const auto number = to_integer(text);
  if (!number || *number < 0 || *number > max) {
    return refused(fmt::format("\"{}\" must be a whole number from 0 to {}", member.key, max));
  }
  return *number;
}

Result<void> read_stream_options(std::string_view body, const ports::JsonScan& scan,
                                 RequestBody& read) {
  const ports::JsonMember* options = scan.find("stream_options");
  if (options == nullptr || value_of(body, *options) == "null") {
    if (options != nullptr) {
      read.options_begin = options->value_begin;
      read.options_size = options->value_size;
    }
    return {};
  }
  const Result<ports::JsonValue> value = ports::parse_json(value_of(body, *options));
  if (!value || value->as_object() == nullptr)
    return refused("\"stream_options\" must be an object");
  read.options_begin = options->value_begin;
  read.options_size = options->value_size;
  read.wants_usage = value->boolean("include_usage");
  return {};
}

Result<void> read_model(std::string_view body, const ports::JsonScan& scan, RequestBody& read) {
  const ports::JsonMember* model = scan.find("model");
  if (model == nullptr) return refused("you must provide a \"model\" parameter");
  Result<std::string> name = ports::read_json_string(value_of(body, *model));
  if (!name) return refused("\"model\" must be a string");
  if (name->empty() || name->size() > kModelNameMax) {
    return refused("\"model\" must have 1 to 256 bytes");
  }
  read.model = std::move(*name);
  read.model_begin = model->value_begin;
  read.model_size = model->value_size;
  return {};
}

Result<void> read_previous(std::string_view body, const ports::JsonScan& scan, Endpoint endpoint,
                           RequestBody& read) {
  const ports::JsonMember* member = scan.find("previous_response_id");
  if (endpoint != Endpoint::responses || member == nullptr) return {};
  const std::string_view value = value_of(body, *member);
  if (value == "null") return {};
  Result<std::string> id = ports::read_json_string(value);
  if (!id || id->empty() || id->size() > kResponseIdMax) {
    return refused("\"previous_response_id\" must be a string of 1 to 256 bytes");
  }
  read.previous_response = std::move(*id);
  return {};
}

Result<void> measure_prompt(const ports::JsonScan& scan, const EndpointFacts& facts,
                            RequestBody& read) {
  const std::string_view needed = facts.prompt_key;
  const ports::JsonMember* prompt = needed.empty() ? nullptr : scan.find(needed);
  if (prompt == nullptr && !needed.empty()) {
    return refused(fmt::format("you must provide a \"{}\" parameter", needed));
  }
  if (prompt != nullptr) read.prompt_bytes = prompt->value_size;
  const std::string_view more_key = facts.more_prompt_key;
  const ports::JsonMember* more = more_key.empty() ? nullptr : scan.find(more_key);
  if (more != nullptr) read.prompt_bytes += more->value_size;
  return {};
}

struct Edit {
  size_t begin;
  size_t size;
  std::string text;
};

Edit usage_edit(std::string_view body, const RequestBody& read) {
  constexpr std::string_view kAsk = "\"include_usage\":true";
  const std::string_view options = body.substr(read.options_begin, read.options_size);
  if (read.options_size == 0) {
    return {read.close_brace, 0, fmt::format(",\"stream_options\":{{{}}}", kAsk)};
  }
  if (options == "null")
    return {read.options_begin, read.options_size, fmt::format("{{{}}}", kAsk)};
  // The client's own options stay; include_usage:false among them is replaced.
  Result<ports::JsonValue> value = ports::parse_json(options);
  ports::JsonValue::Object members;
  if (value && value->as_object() != nullptr) members = *value->as_object();
  std::erase_if(members, [](const auto& member) { return member.first == "include_usage"; });
  members.emplace_back("include_usage", ports::JsonValue(true));
  return {read.options_begin, read.options_size, ports::to_json(ports::JsonValue(members))};
}

}  // namespace

Result<RequestBody> read_request_body(std::string_view body, Endpoint endpoint) {
  Result<ports::JsonScan> scan = ports::scan_json_object(body);
  if (!scan) return scan.error();
  const EndpointFacts& facts = facts_of(endpoint);
  RequestBody read;
  read.close_brace = scan->close_brace;
  if (Result<void> ok = read_model(body, *scan, read); !ok) return ok.error();
  if (const ports::JsonMember* stream = scan->find("stream")) {
    const std::string_view text = value_of(body, *stream);
    if (text != "true" && text != "false" && text != "null") {
      return refused("\"stream\" must be true or false");
    }
    read.stream = text == "true" && facts.may_stream;
  }
  if (Result<void> ok = read_stream_options(body, *scan, read); !ok) return ok.error();
  for (const char* key : {"max_completion_tokens", "max_output_tokens", "max_tokens"}) {
    const ports::JsonMember* member = scan->find(key);
    if (member == nullptr) continue;
    const Result<int64_t> number = read_whole(body, *member, kOutputTokensMax);
    if (!number) return number.error();
    if (read.output_max.count == 0) read.output_max.count = *number;
  }
  if (const ports::JsonMember* n = scan->find("n")) {
    const Result<int64_t> number = read_whole(body, *n, kChoicesMax);
    if (!number) return number.error();
    read.choices = static_cast<int>(std::max<int64_t>(1, *number));
  }
  if (Result<void> ok = read_previous(body, *scan, endpoint, read); !ok) return ok.error();
  if (Result<void> ok = measure_prompt(*scan, facts, read); !ok) return ok.error();
  return read;
}

std::shared_ptr<const std::string> body_for_node(const std::shared_ptr<const std::string>& body,
                                                 const RequestBody& read,
                                                 const std::string& upstream_model,
                                                 bool ask_for_usage) {
  std::vector<Edit> edits;
  if (upstream_model != read.model) {
    edits.push_back({read.model_begin, read.model_size, ports::write_json_string(upstream_model)});
  }
  if (ask_for_usage && read.stream && !read.wants_usage) edits.push_back(usage_edit(*body, read));
  if (edits.empty()) return body;
  std::sort(edits.begin(), edits.end(),
            [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  auto edited = std::make_shared<std::string>();
  edited->reserve(body->size() + 64);
  size_t done = 0;
  for (const Edit& edit : edits) {
    edited->append(*body, done, edit.begin - done);
    edited->append(edit.text);
    done = edit.begin + edit.size;
  }
  edited->append(*body, done);
  return edited;
}

}  // namespace sluice::upstream
