#include "drivers/yaml/config_events.h"

#include <fmt/format.h>

#include "drivers/yaml/config_limits.h"

namespace sluice::drivers {

using ports::ConfigNode;

namespace {

ConfigNode node_at(const YAML::Mark& mark, ConfigNode::Kind kind) {
  ConfigNode node;
  node.kind = kind;
  node.line = mark.line + 1;
  node.column = mark.column + 1;
  return node;
}

// Whether the quoted scalar that opens at `at` is closed. Each is looked at once: linear in all.
bool is_closed(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return true;
      ++i;
    }
  }
  return false;
}

}  // namespace

void ConfigEvents::fail(const YAML::Mark& mark, std::string what) {
  if (!fault_) fault_ = Fault{mark.line + 1, std::move(what)};
}

// yaml-cpp calls the tag of what has none "?" (plain, lists, maps) or "!" (quoted); a lone "!" in
// the text looks the same, so the text itself is asked too.
bool ConfigEvents::is_sound(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
  if (fault_) return false;
  if (anchor != YAML::NullAnchor) {
    fail(mark, "anchor (&name); write the value again where it is needed");
    return false;
  }
  const bool no_tag = tag.empty() || tag == "?" || tag == "!";
  if (!no_tag || first_char(mark) == '!') {
    fail(mark, "tag (!name); write the plain value, in quotes if it is a text");
    return false;
  }
  return true;
}

char ConfigEvents::first_char(const YAML::Mark& mark) const {
  const auto at = static_cast<size_t>(mark.pos);
  return mark.pos >= 0 && at < text_.size() ? text_[at] : '\0';
}

bool ConfigEvents::wants_key() const {
  return !open_.empty() && open_.back().node.kind == ConfigNode::Kind::map && !open_.back().key;
}

void ConfigEvents::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ > 1) {
    fail(mark, "text after the end of the document; write one document and nothing after it");
  }
}

void ConfigEvents::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (!is_sound(mark, "", anchor)) return;
  if (wants_key()) return fail(mark, "empty key; write a name before the colon");
  place(node_at(mark, ConfigNode::Kind::empty));
}

void ConfigEvents::OnAlias(const YAML::Mark& mark, YAML::anchor_t) {
  fail(mark, "alias (*name); write the value again, or put it in quotes if the star belongs to it");
}

void ConfigEvents::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                            const std::string& value) {
  if (!is_sound(mark, tag, anchor)) return;
  const char first = first_char(mark);
  if ((first == '"' || first == '\'') && !is_closed(text_, static_cast<size_t>(mark.pos))) {
    return fail(mark, "a quote that is never closed; write the closing quote");
  }
  if (wants_key()) return take_key(mark, value);
  ConfigNode node = node_at(mark, ConfigNode::Kind::scalar);
  node.scalar = value;
  node.quoted = tag == "!";
  place(std::move(node));
}

void ConfigEvents::OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                                   YAML::anchor_t anchor, YAML::EmitterStyle::value) {
  if (is_sound(mark, tag, anchor)) open(mark, ConfigNode::Kind::list);
}

void ConfigEvents::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                              YAML::EmitterStyle::value) {
  if (is_sound(mark, tag, anchor)) open(mark, ConfigNode::Kind::map);
}

void ConfigEvents::open(const YAML::Mark& mark, ConfigNode::Kind kind) {
  if (wants_key()) return fail(mark, "a list or map as a key; write a name before the colon");
  if (open_.size() >= static_cast<size_t>(kConfigDepthMax)) {
    return fail(mark,
                fmt::format("lists and maps more than {} deep; write it flatter", kConfigDepthMax));
  }
  open_.push_back(Open{node_at(mark, kind), {}, {}});
}

void ConfigEvents::close() {
  if (fault_) return;
  ENSURE(!open_.empty());
  ConfigNode node = std::move(open_.back().node);
  open_.pop_back();
  place(std::move(node));
}

void ConfigEvents::take_key(const YAML::Mark& mark, const std::string& key) {
  Open& map = open_.back();
  if (!map.keys.insert(key).second) {
    return fail(mark,
                fmt::format("key \"{}\" a second time in this map; keep one of the two", key));
  }
  map.key = key;
}

void ConfigEvents::place(ConfigNode node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  Open& parent = open_.back();
  if (parent.node.kind == ConfigNode::Kind::list) {
    parent.node.items.push_back(std::move(node));
    return;
  }
  ENSURE(parent.key.has_value());
  parent.node.members.emplace_back(std::move(*parent.key), std::move(node));
  parent.key.reset();
}

}  // namespace sluice::drivers
