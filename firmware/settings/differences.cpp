#include <map>

#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

std::string flat_text(const ports::ConfigNode& node) {
  std::string text = node.scalar;
  for (const auto& item : node.items) text += item.scalar + "\n";
  for (const auto& [key, member] : node.members) text += key + "=" + member.scalar + "\n";
  return text;
}

// Address of every field -> its value as text.
class Flattener final : public Visitor {
 public:
  explicit Flattener(When when) : when_(when) {}

  void field(const Facts& facts, const Value& value) override {
    if (facts.when != when_) return;
    fields[path_ + std::string(facts.key)] = flat_text(value.show());
  }
  void enter(const Facts& group) override { push(group.key); }
  bool enter_optional(const Facts& group, bool present) override {
    if (present) enter(group);
    return present;
  }
  void leave() override {
    path_ = above_.back();
    above_.pop_back();
  }
  void list(const Facts& facts, Elements& elements) override {
    push(facts.key);
    for (size_t i = 0; i < elements.size(); ++i) {
      NameReader reader;
      elements.describe(i, reader);
      push(reader.name);
      elements.describe(i, *this);
      leave();
    }
    leave();
  }

  std::map<std::string, std::string> fields;

 private:
  class NameReader final : public Visitor {
   public:
    void field(const Facts& facts, const Value& value) override {
      if (facts.key == "name" && name.empty()) name = value.show().scalar;
    }
    void enter(const Facts& /*group*/) override {}
    bool enter_optional(const Facts& /*group*/, bool /*present*/) override { return false; }
    void leave() override {}
    void list(const Facts& /*facts*/, Elements& /*elements*/) override {}
    std::string name;
  };

  void push(std::string_view key) {
    above_.push_back(path_);
    path_ += std::string(key) + ".";
  }

  When when_;
  std::string path_;
  std::vector<std::string> above_;
};

std::map<std::string, std::string> fields_of(Settings settings, When when) {
  Flattener flattener(when);
  describe(settings, flattener);
  return std::move(flattener.fields);
}

}  // namespace

std::vector<std::string> differing_keys(const Settings& a, const Settings& b, When when) {
  const auto before = fields_of(a, when);
  const auto after = fields_of(b, when);
  std::vector<std::string> keys;
  for (const auto& [key, text] : before) {
    const auto now = after.find(key);
    if (now == after.end() || now->second != text) keys.push_back(key);
  }
  for (const auto& [key, text] : after) {
    if (before.count(key) == 0) keys.push_back(key);
  }
  return keys;
}

}  // namespace sluice::settings
