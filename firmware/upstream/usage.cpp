#include "firmware/upstream/usage.h"

#include "firmware/ports/json.h"

namespace sluice::upstream {

std::optional<Usage> read_usage(std::string_view object) {
  const Result<ports::JsonValue> parsed = ports::parse_json(object);
  if (!parsed || parsed->as_object() == nullptr) return std::nullopt;
  const ports::JsonValue& usage = *parsed;
  if (usage.find("prompt_tokens") == nullptr) return std::nullopt;
  Usage read;
  read.in.count = usage.integer("prompt_tokens");
  read.out.count = usage.integer("completion_tokens");  // absent for embeddings
  if (const ports::JsonValue* details = usage.find("prompt_tokens_details")) {
    read.cached.count = details->integer("cached_tokens");
  }
  if (read.in.count < 0 || read.out.count < 0 || read.cached.count < 0) return std::nullopt;
  if (read.cached > read.in) read.cached = read.in;
  return read;
}

}  // namespace sluice::upstream
