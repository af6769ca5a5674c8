#include "firmware/settings/overlay_tree.h"

#include <fmt/format.h>

#include "firmware/settings/text_rules.h"

namespace sluice::settings {

namespace {

using ports::ConfigNode;

Error refused(std::string text) { return {ErrorKind::refused, "overlay", std::move(text)}; }

void make_map(ConfigNode& node) {
  if (node.kind == ConfigNode::Kind::map) return;
  node = ConfigNode{};
  node.kind = ConfigNode::Kind::map;
}

ConfigNode& child_of(ConfigNode& group, std::string_view key) {
  make_map(group);
  for (auto& [name, node] : group.members) {
    if (name == key) return node;
  }
  group.members.emplace_back(std::string(key), ConfigNode{});
  return group.members.back().second;
}

std::string_view name_of(const ConfigNode& element) {
  const ConfigNode* name = element.find("name");
  return name == nullptr ? std::string_view() : std::string_view(name->scalar);
}

// The element whose name begins `rest`, at its end or at a dot; the longest such name.
ConfigNode* element_of(ConfigNode& list, std::string_view rest) {
  ConfigNode* best = nullptr;
  for (ConfigNode& element : list.items) {
    const std::string_view name = name_of(element);
    if (name.empty() || rest.substr(0, name.size()) != name) continue;
    if (rest.size() != name.size() && rest[name.size()] != '.') continue;
    if (best == nullptr || name.size() > name_of(*best).size()) best = &element;
  }
  return best;
}

// The element `name` whole: `value` with the name in front.
Result<void> put_element(ConfigNode& slot, std::string_view name, const ConfigNode& value) {
  if (value.kind != ConfigNode::Kind::map) {
    return refused("is a whole element; write an object with its fields, or address one field");
  }
  const std::string_view own = name_of(value);
  if (!own.empty() && own != name) {
    return refused(fmt::format("has another name inside, {}; write the same one", quoted(own)));
  }
  slot = value;
  if (own.empty()) {
    ConfigNode node;
    node.kind = ConfigNode::Kind::scalar;
    node.scalar = std::string(name);
    node.line = value.line;
    slot.members.emplace(slot.members.begin(), "name", std::move(node));
  }
  return {};
}

Result<void> set_below(ConfigNode& group, const SchemaNode& schema, std::string_view rest,
                       const ConfigNode& value);

Result<void> set_in_list(ConfigNode& list, const SchemaNode& schema, std::string_view rest,
                         const ConfigNode& value) {
  if (list.kind != ConfigNode::Kind::list) {
    list = ConfigNode{};
    list.kind = ConfigNode::Kind::list;
  }
  ConfigNode* element = element_of(list, rest);
  if (element == nullptr && value.kind == ConfigNode::Kind::map) {
    ConfigNode added;
    const auto put = put_element(added, rest, value);
    if (put) list.items.push_back(std::move(added));
    return put;
  }
  if (element == nullptr) {
    std::string known;
    for (const ConfigNode& one : list.items) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name_of(one));
    }
    return refused(fmt::format("names no element of {}; known are: {}", schema.key,
                               known.empty() ? "none" : known));
  }
  const std::string name(name_of(*element));
  if (rest.size() == name.size()) return put_element(*element, name, value);
  const std::string_view below = rest.substr(name.size() + 1);
  if (below == "name") {
    return refused("is what the element is known by; add a new one and disable this one instead");
  }
  return set_below(*element, schema, below, value);
}

Result<void> set_below(ConfigNode& group, const SchemaNode& schema, std::string_view rest,
                       const ConfigNode& value) {
  const size_t dot = rest.find('.');
  const std::string_view key = rest.substr(0, dot);
  const SchemaNode* child = schema.find(key);
  if (child == nullptr) return refused(unknown_key_text(key, schema.keys()));
  if (child->when == When::fixed) {
    return refused("is fixed; write it into the settings file and restart");
  }
  ConfigNode& node = child_of(group, key);
  if (dot == std::string_view::npos) {
    node = value;
    return {};
  }
  const std::string_view below = rest.substr(dot + 1);
  if (child->kind == SchemaNode::Kind::list) return set_in_list(node, *child, below, value);
  if (child->kind == SchemaNode::Kind::group) return set_below(node, *child, below, value);
  if (key == "exchange_rates") {  // the one map: its keys are values
    child_of(node, below) = value;
    return {};
  }
  return refused(fmt::format("goes below {}, which has no keys; remove \".{}\"", key, below));
}

// The service level "default" exists also where the file does not name it.
void write_default_level(ConfigNode& root) {
  ConfigNode& levels = child_of(root, "service_levels");
  if (levels.kind == ConfigNode::Kind::empty) levels.kind = ConfigNode::Kind::list;
  for (const ConfigNode& level : levels.items) {
    if (name_of(level) == "default") return;
  }
  ConfigNode name;
  name.kind = ConfigNode::Kind::scalar;
  name.scalar = "default";
  ConfigNode level;
  level.kind = ConfigNode::Kind::map;
  level.members.emplace_back("name", std::move(name));
  levels.items.push_back(std::move(level));
}

}  // namespace

ConfigNode to_config(const ports::JsonValue& value, int line) {
  ConfigNode node;
  node.line = line;
  const auto scalar = [&node](std::string text) {
    node.kind = ConfigNode::Kind::scalar;
    node.scalar = std::move(text);
  };
  if (const bool* truth = value.as_bool()) scalar(*truth ? "true" : "false");
  if (const int64_t* whole = value.as_integer()) scalar(std::to_string(*whole));
  if (const double* real = value.as_double()) scalar(fmt::format("{}", *real));
  if (const std::string* text = value.as_text()) scalar(*text);
  if (const auto* items = value.as_array()) {
    node.kind = ConfigNode::Kind::list;
    for (const ports::JsonValue& item : *items) node.items.push_back(to_config(item, line));
  }
  if (const auto* members = value.as_object()) {
    node.kind = ConfigNode::Kind::map;
    for (const auto& [key, member] : *members) {
      node.members.emplace_back(key, to_config(member, line));
    }
  }
  return node;
}

Result<void> set_in_tree(ConfigNode& root, const SchemaNode& schema, std::string_view address,
                         const ConfigNode& value) {
  if (address.substr(0, address.find('.')) == "service_levels") write_default_level(root);
  return set_below(root, schema, address, value);
}

bool touches(std::string_view address, std::string_view locked) {
  const auto begins = [](std::string_view whole, std::string_view part) {
    return whole.substr(0, part.size()) == part &&
           (whole.size() == part.size() || whole[part.size()] == '.');
  };
  return begins(address, locked) || begins(locked, address);
}

}  // namespace sluice::settings
