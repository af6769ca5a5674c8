// Any bytes give a tree within its bounds or a refusal that names a line of the file.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "drivers/yaml/config_limits.h"
#include "firmware/base/check.h"
#include "firmware/ports/config.h"

using namespace sluice;

namespace {

void check_node(const ports::ConfigNode& node, int depth, int lines) {
  using Kind = ports::ConfigNode::Kind;
  ENSURE(node.line >= 1 && node.line <= lines && node.column >= 1);
  if (node.kind == Kind::list || node.kind == Kind::map) ENSURE(depth < drivers::kConfigDepthMax);
  ENSURE(node.kind == Kind::list || node.items.empty());
  ENSURE(node.kind == Kind::map || node.members.empty());
  for (const auto& item : node.items) check_node(item, depth + 1, lines);
  for (const auto& [key, value] : node.members) {
    ENSURE(node.find(key) == &value);  // unique
    check_node(value, depth + 1, lines);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const int lines = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  const auto node = ports::parse_config(text, "f");
  if (node) {
    check_node(*node, 0, lines);
  } else {
    ENSURE(node.error().kind == ErrorKind::refused);
    ENSURE(node.error().text.starts_with("f:"));
  }
  return 0;
}
