// Offsets found in any text lie in it; in valid JSON every top-level member is found by its key.
#include <cstddef>
#include <cstdint>
#include <string>

#include "firmware/base/check.h"
#include "firmware/ports/json_scan.h"
#include "firmware/upstream/json_keys.h"
#include "firmware/upstream/usage.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

constexpr size_t kNone = std::string_view::npos;

void check_key(std::string_view text, std::string_view key) {
  size_t last = kNone;
  for (size_t at = find_value(text, key); at != kNone; at = find_value(text, key, at)) {
    ENSURE(at < text.size() && (last == kNone || at > last));
    last = at;
    const std::string_view object = object_at(text, at);
    ENSURE(object.empty() || (object.front() == '{' && object.back() == '}'));
    const std::string_view string = string_at(text, at);
    ENSURE(string.empty() || (string.size() > 1 && string.back() == '"'));
    if (const auto usage = read_usage(object)) ENSURE(usage->cached <= usage->in);
  }
  ENSURE(find_last_value(text, key) == last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const char* key : {"usage", "model", "choices", "a"}) check_key(text, key);
  const auto scan = ports::scan_json_object(text);
  if (!scan) return 0;
  for (const ports::JsonMember& member : scan->members) {
    const std::string plain = "\"" + member.key + "\"";
    if (member.key.empty() || text.substr(member.key_begin, plain.size()) != plain) continue;
    if (member.key.find_first_of("\"\\") != std::string::npos) continue;
    const size_t at = find_value(text, member.key, member.key_begin);
    ENSURE(at == member.value_begin);
  }
  return 0;
}
