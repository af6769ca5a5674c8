#include "firmware/upstream/usage.h"

#include <algorithm>

#include "firmware/ports/json.h"
#include "firmware/upstream/plain_counts.h"

namespace sluice::upstream {

namespace {

constexpr int64_t kCountMax = int64_t{1} << 60;  // sums of a few of them stay whole numbers

using ports::JsonValue;

bool is_count(int64_t number) { return number >= 0 && number <= kCountMax; }

// What PlainCounts cannot read.
class ParsedCounts {
 public:
  explicit ParsedCounts(const JsonValue& object) : object_(object) {}

  bool has_number(const char* key) const {
    const JsonValue* found = object_.find(key);
    return found != nullptr && (found->as_integer() != nullptr || found->as_double() != nullptr);
  }
  int64_t integer(const char* key) const { return object_.integer(key); }
  int64_t integer_in(const char* outer, const char* key) const {
    const JsonValue* found = object_.find(outer);
    return found == nullptr ? 0 : found->integer(key);
  }

 private:
  const JsonValue& object_;
};

template <class Counts>
std::optional<Usage> usage_of(const Counts& counts) {
  Usage read;
  if (counts.has_number("prompt_tokens")) {
    read.in.count = counts.integer("prompt_tokens");
    read.out.count = counts.integer("completion_tokens");  // absent for embeddings
    read.cached.count = counts.integer_in("prompt_tokens_details", "cached_tokens");
  } else if (counts.has_number("input_tokens") || counts.has_number("output_tokens")) {
    const int64_t from_cache = counts.integer("cache_read_input_tokens");
    const int64_t to_cache = counts.integer("cache_creation_input_tokens");
    const int64_t fresh = counts.integer("input_tokens");
    const int64_t within = counts.integer_in("input_tokens_details", "cached_tokens");
    for (const int64_t part : {from_cache, to_cache, fresh, within}) {
      if (!is_count(part)) return std::nullopt;
    }
    read.in.count = fresh + from_cache + to_cache;
    read.out.count = counts.integer("output_tokens");
    read.cached.count = from_cache + within;
  } else if (counts.has_number("total_tokens")) {  // rerankers
    read.in.count = counts.integer("total_tokens");
  } else {
    return std::nullopt;
  }
  for (const Tokens count : {read.in, read.out, read.cached}) {
    if (!is_count(count.count)) return std::nullopt;
  }
  if (read.cached > read.in) read.cached = read.in;
  return read;
}

}  // namespace

std::optional<Usage> read_usage(std::string_view object) {
  if (const auto plain = PlainCounts::read(object)) return usage_of(*plain);
  const Result<JsonValue> parsed = ports::parse_json(object);
  if (!parsed || parsed->as_object() == nullptr) return std::nullopt;
  return usage_of(ParsedCounts(*parsed));
}

Usage merged(const Usage& a, const Usage& b) {
  return {std::max(a.in, b.in), std::max(a.out, b.out), std::max(a.cached, b.cached)};
}

}  // namespace sluice::upstream
