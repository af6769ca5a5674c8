// The keys without values: which exist, of what kind, live or fixed.
// A key's address names list elements: "nodes.gpu-1.limits.concurrency". Names may hold dots.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/settings/describe.h"

namespace sluice::settings {

struct SchemaNode {
  enum class Kind { group, list, field } kind = Kind::group;
  std::string key;
  When when = When::live;
  std::vector<SchemaNode> children;  // of a group, or of each element of a list

  const SchemaNode* find(std::string_view child) const;
  std::vector<std::string_view> keys() const;
};

SchemaNode schema();  // the root: a group without a key

// True if `address` may be a key, or the beginning of one, by its form: elements are not looked up.
bool could_be_key(const SchemaNode& root, std::string_view address);

// "is not a known key; did you mean ...?" or, for words like api_key, where a key belongs instead.
std::string unknown_key_text(std::string_view key, const std::vector<std::string_view>& known);

}  // namespace sluice::settings
