#include "firmware/upstream/usage.h"

#include <algorithm>

#include "firmware/ports/json.h"

namespace sluice::upstream {

namespace {

constexpr int64_t kCountMax = int64_t{1} << 60;

using ports::JsonValue;

int64_t cached_of(const JsonValue& usage, const char* details) {
  const JsonValue* found = usage.find(details);
  return found == nullptr ? 0 : found->integer("cached_tokens");
}

bool has_number(const JsonValue& usage, const char* key) {
  const JsonValue* found = usage.find(key);
  return found != nullptr && (found->as_integer() != nullptr || found->as_double() != nullptr);
}

}  // namespace

std::optional<Usage> read_usage(std::string_view object) {
  const Result<JsonValue> parsed = ports::parse_json(object);
  if (!parsed || parsed->as_object() == nullptr) return std::nullopt;
  const JsonValue& usage = *parsed;
  Usage read;
  if (has_number(usage, "prompt_tokens")) {
    read.in.count = usage.integer("prompt_tokens");
    read.out.count = usage.integer("completion_tokens");  // absent for embeddings
    read.cached.count = cached_of(usage, "prompt_tokens_details");
  } else if (has_number(usage, "input_tokens") || has_number(usage, "output_tokens")) {
    const int64_t from_cache = usage.integer("cache_read_input_tokens");
    const int64_t to_cache = usage.integer("cache_creation_input_tokens");
    const int64_t fresh = usage.integer("input_tokens");
    if (from_cache < 0 || to_cache < 0 || fresh < 0) return std::nullopt;
    if (from_cache > kCountMax || to_cache > kCountMax || fresh > kCountMax) return std::nullopt;
    read.in.count = fresh + from_cache + to_cache;
    read.out.count = usage.integer("output_tokens");
    read.cached.count = from_cache + cached_of(usage, "input_tokens_details");
  } else if (has_number(usage, "total_tokens")) {  // rerankers
    read.in.count = usage.integer("total_tokens");
  } else {
    return std::nullopt;
  }
  if (read.in.count < 0 || read.out.count < 0 || read.cached.count < 0) return std::nullopt;
  if (read.cached > read.in) read.cached = read.in;
  return read;
}

Usage merged(const Usage& a, const Usage& b) {
  return {std::max(a.in, b.in), std::max(a.out, b.out), std::max(a.cached, b.cached)};
}

}  // namespace sluice::upstream
