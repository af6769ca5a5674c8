// A settings file as a tree that remembers where each value stood.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::ports {

struct ConfigMember;

struct ConfigNode {
  enum class Kind { empty, scalar, list, map } kind = Kind::empty;
  std::string scalar;  // as written, unquoted
  bool quoted = false;
  std::vector<ConfigNode> items;      // list
  std::vector<ConfigMember> members;  // map, in file order, keys unique
  int line = 0;                       // 1-based
  int column = 0;                     // 1-based

  const ConfigNode* find(std::string_view key) const;
};

// Named as a pair's: a std::pair of a type that is not complete yet is refused by clang.
struct ConfigMember {
  ConfigMember(std::string key, ConfigNode value)
      : first(std::move(key)), second(std::move(value)) {}

  std::string first;
  ConfigNode second;
};

inline const ConfigNode* ConfigNode::find(std::string_view key) const {
  for (const auto& member : members) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

// `name` is the file's name, for errors: "name:line: what is wrong; what to write".
// Errors: refused. Duplicate keys, anchors, aliases, tags and several documents are refused.
Result<ConfigNode> parse_config(std::string_view text, std::string_view name);

}  // namespace sluice::ports
