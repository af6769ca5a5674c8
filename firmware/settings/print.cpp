#include "firmware/settings/print.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

using ports::ConfigNode;

// YAML's plain style only where no reader could take it for something else.
std::string yaml_text(const std::string& text) {
  const auto plain_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:+").find(c) != std::string_view::npos;
  };
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), plain_char) &&
                     text.back() != ':' &&
                     std::string_view("-:.+").find(text[0]) == std::string_view::npos;
  const bool word = text == "null" || text == "Null" || text == "NULL";
  if (plain && !word) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string yaml_value(const ConfigNode& value) {
  std::string out;
  switch (value.kind) {
    case ConfigNode::Kind::list:
      for (const ConfigNode& item : value.items) {
        out += (out.empty() ? "" : ", ") + yaml_text(item.scalar);
      }
      return "[" + out + "]";
    case ConfigNode::Kind::map:
      for (const auto& [key, member] : value.members) {
        out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", key, yaml_text(member.scalar));
      }
      return "{" + out + "}";
    default:
      return yaml_text(value.scalar);
  }
}

class Printer final : public Visitor {
 public:
  Printer(const ConfigNode* tree, const Sources* sources) : sources_(sources) {
    nodes_.push_back(tree);
  }

  void field(const Facts& facts, const Value& value) override {
    const ConfigNode shown = value.show();
    const bool absent = shown.kind == ConfigNode::Kind::scalar && shown.scalar.empty();
    if (absent) return;
    begin_line(facts.key);
    text_ += " " + yaml_value(shown);
    end_line(member(facts.key));
  }

  void enter(const Facts& group) override {
    begin_line(group.key);
    text_ += "\n";
    nodes_.push_back(member(group.key));
    ++depth_;
  }

  bool enter_optional(const Facts& group, bool present) override {
    if (present) enter(group);
    return present;
  }

  void leave() override {
    nodes_.pop_back();
    --depth_;
  }

  void list(const Facts& facts, Elements& elements) override {
    begin_line(facts.key);
    const ConfigNode* node = member(facts.key);
    if (elements.size() == 0) {
      text_ += " []";
      end_line(node);
      return;
    }
    text_ += "\n";
    depth_ += 2;
    for (size_t i = 0; i < elements.size(); ++i) {
      nodes_.push_back(node != nullptr && i < node->items.size() ? &node->items[i] : nullptr);
      dash_ = true;
      elements.describe(i, *this);
      nodes_.pop_back();
    }
    depth_ -= 2;
  }

  std::string take() { return std::move(text_); }

 private:
  const ConfigNode* member(std::string_view key) const {
    return nodes_.back() == nullptr ? nullptr : nodes_.back()->find(key);
  }

  void begin_line(std::string_view key) {
    const size_t indent = dash_ ? depth_ * 2 - 2 : depth_ * 2;
    text_ += std::string(indent, ' ');
    if (dash_) text_ += "- ";
    dash_ = false;
    text_ += key;
    text_ += ":";
  }

  void end_line(const ConfigNode* node) {
    if (sources_ != nullptr) text_ += "  # " + sources_->origin(node);
    text_ += "\n";
  }

  std::vector<const ConfigNode*> nodes_;  // what the tree has at each open level; null = nothing
  const Sources* sources_;                // null = origins are not asked for
  size_t depth_ = 0;
  bool dash_ = false;  // the next line begins an element
  std::string text_;
};

std::string print(const Settings& settings, const ConfigNode* tree, const Sources* sources) {
  Settings copy = settings;
  Printer printer(tree, sources);
  describe(copy, printer);
  return printer.take();
}

}  // namespace

std::string print_settings(const Settings& settings) { return print(settings, nullptr, nullptr); }

std::string print_settings(const Settings& settings, const ConfigNode& tree,
                           const Sources& sources) {
  return print(settings, &tree, &sources);
}

std::string origin_of(std::string_view address, const ConfigNode& tree, const Sources& sources) {
  const ConfigNode* at = &tree;
  std::string_view rest = address;
  while (at != nullptr && !rest.empty()) {
    const ConfigNode* next = nullptr;
    std::string_view matched;
    const auto offer = [&](std::string_view name, const ConfigNode& node) {
      const bool begins = rest.substr(0, name.size()) == name &&
                          (rest.size() == name.size() || rest[name.size()] == '.');
      if (name.empty() || !begins || name.size() <= matched.size()) return;
      matched = name;
      next = &node;
    };
    for (const auto& [key, node] : at->members) offer(key, node);
    for (const ConfigNode& item : at->items) {
      if (const ConfigNode* name = item.find("name")) offer(name->scalar, item);
    }
    at = next;
    rest.remove_prefix(std::min(rest.size(), matched.size() + 1));
  }
  return sources.origin(at);
}

}  // namespace sluice::settings
