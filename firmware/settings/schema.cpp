#include "firmware/settings/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "firmware/base/text.h"

namespace sluice::settings {

namespace {

class SchemaBuilder final : public Visitor {
 public:
  explicit SchemaBuilder(SchemaNode& root) { open_.push_back(&root); }

  void field(const Facts& facts, const Value& /*value*/) override {
    add(facts, SchemaNode::Kind::field);
  }
  void enter(const Facts& group) override { open_.push_back(&add(group, SchemaNode::Kind::group)); }
  bool enter_optional(const Facts& group, bool /*present*/) override {
    enter(group);
    return true;
  }
  void leave() override { open_.pop_back(); }
  void list(const Facts& facts, Elements& elements) override {
    open_.push_back(&add(facts, SchemaNode::Kind::list));
    elements.add();
    elements.describe(elements.size() - 1, *this);
    leave();
  }

 private:
  // The open nodes are the last children of each other: growing the innermost moves none of them.
  SchemaNode& add(const Facts& facts, SchemaNode::Kind kind) {
    open_.back()->children.push_back({kind, std::string(facts.key), facts.when, {}});
    return open_.back()->children.back();
  }

  std::vector<SchemaNode*> open_;
};

bool could_be_below(const SchemaNode& group, std::string_view rest) {
  const size_t dot = rest.find('.');
  const SchemaNode* child = group.find(rest.substr(0, dot));
  if (child == nullptr) return false;
  if (dot == std::string_view::npos) return true;
  const std::string_view below = rest.substr(dot + 1);
  switch (child->kind) {
    case SchemaNode::Kind::group:
      return could_be_below(*child, below);
    case SchemaNode::Kind::list:
      return !below.empty();  // a name may hold dots: all of it may be one
    case SchemaNode::Kind::field:
      return false;
  }
  return false;
}

bool names_a_secret(std::string_view key) {
  static constexpr std::array<std::string_view, 10> kWords = {
      "api_key",  "apikey", "api-key", "key",          "token",
      "password", "secret", "bearer",  "access_token", "authorization"};
  const std::string small = lower(key);
  return std::find(kWords.begin(), kWords.end(), small) != kWords.end();
}

}  // namespace

const SchemaNode* SchemaNode::find(std::string_view child) const {
  for (const SchemaNode& node : children) {
    if (node.key == child) return &node;
  }
  return nullptr;
}

std::vector<std::string_view> SchemaNode::keys() const {
  std::vector<std::string_view> out;
  for (const SchemaNode& node : children) out.emplace_back(node.key);
  return out;
}

SchemaNode schema() {
  SchemaNode root;
  Settings defaults;
  SchemaBuilder builder(root);
  describe(defaults, builder);
  return root;
}

bool could_be_key(const SchemaNode& root, std::string_view address) {
  return could_be_below(root, address);
}

std::string unknown_key_text(std::string_view key, const std::vector<std::string_view>& known) {
  if (names_a_secret(key)) {
    return "a key never stands in the settings; put it into a file that only the service may read "
           "and write credential: {file: PATH}, or credential: {env: NAME}";
  }
  if (const auto meant = nearest(key, known)) {
    return fmt::format("is not a known key; did you mean \"{}\"?", *meant);
  }
  std::string all;
  for (std::string_view one : known) all += fmt::format("{}{}", all.empty() ? "" : ", ", one);
  return fmt::format("is not a known key; write one of: {}", all);
}

}  // namespace sluice::settings
