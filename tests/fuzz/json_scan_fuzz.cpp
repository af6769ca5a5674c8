// The scanner and the tree reader must agree on what is a JSON object, and every offset must hold.
#include <cstddef>
#include <cstdint>

#include "firmware/base/check.h"
#include "firmware/ports/json.h"
#include "firmware/ports/json_scan.h"

using namespace sluice;

namespace {

void check_members(std::string_view text, const ports::JsonScan& scan) {
  size_t end = 0;
  for (const ports::JsonMember& member : scan.members) {
    ENSURE(member.key_begin >= end && member.key_begin < member.value_begin);
    ENSURE(member.value_begin + member.value_size <= scan.close_brace);
    ENSURE(text[member.key_begin] == '"');
    end = member.value_begin + member.value_size;
    const std::string_view value = text.substr(member.value_begin, member.value_size);
    const auto parsed = ports::parse_json(value);
    ENSURE(parsed.has_value() || parsed.error().text.find("duplicate") != std::string::npos);
    if (value.front() == '"') ENSURE(ports::read_json_string(value).has_value());
    ENSURE(*ports::read_json_string(ports::write_json_string(member.key)) == member.key);
  }
  ENSURE(text[scan.close_brace] == '}');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto scan = ports::scan_json_object(text);
  const auto tree = ports::parse_json(text);
  if (scan) {
    check_members(text, *scan);
    const bool nested_duplicate =
        !tree && tree.error().text.find("duplicate key") != std::string::npos;
    ENSURE(tree.has_value() || nested_duplicate);
    if (tree) {
      ENSURE(tree->as_object() != nullptr);
      ENSURE(tree->as_object()->size() == scan->members.size());
      for (size_t i = 0; i < scan->members.size(); ++i) {
        ENSURE((*tree->as_object())[i].first == scan->members[i].key);
      }
    }
  } else if (tree && tree->as_object() != nullptr) {
    ENSURE(tree->as_object()->size() > ports::kJsonMembersMax);
  }
  if (tree) ENSURE(ports::parse_json(ports::to_json(*tree)).has_value());
  return 0;
}
