#include "firmware/settings/reference.h"

#include <fmt/format.h>

#include <vector>

#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

enum class Language { english, chinese };

std::string default_text(const Facts& facts, const Value& value, Language language) {
  if (facts.required) return language == Language::english ? "**required**" : "**必填**";
  const ports::ConfigNode shown = value.show();
  if (shown.kind == ports::ConfigNode::Kind::scalar && !shown.scalar.empty()) {
    return "`" + shown.scalar + "`";
  }
  return "-";
}

class PageWriter final : public Visitor {
 public:
  explicit PageWriter(Language language) : language_(language) {}

  void field(const Facts& facts, const Value& value) override {
    const bool live = facts.when == When::live;
    rows_ +=
        fmt::format("| `{}{}` | {} | {} | {} | {} |\n", path_, facts.key,
                    default_text(facts, value, language_), in(value.allowed_en, value.allowed_zh),
                    live ? in("at once", "立即") : in("restart", "重启"), help(facts));
  }

  void enter(const Facts& group) override {
    note(group, "");
    push(std::string(group.key) + ".");
  }

  bool enter_optional(const Facts& group, bool /*present*/) override {
    enter(group);
    return true;
  }

  void leave() override {
    path_ = above_.back();
    above_.pop_back();
  }

  void list(const Facts& facts, Elements& elements) override {
    note(facts, "[]");
    push(std::string(facts.key) + "[].");
    elements.add();
    elements.describe(elements.size() - 1, *this);
    leave();
  }

  std::string page() const {
    return fmt::format("| {} | {} | {} | {} | {} |\n|---|---|---|---|---|\n{}", in("key", "键"),
                       in("default", "默认值"), in("allowed", "取值"), in("takes effect", "生效"),
                       in("what it does", "作用"), rows_);
  }

 private:
  void note(const Facts& facts, std::string_view mark) {
    rows_ += fmt::format("| **`{}{}{}`** | | | | {} |\n", path_, facts.key, mark, help(facts));
  }
  void push(const std::string& key) {
    above_.push_back(path_);
    path_ += key;
  }
  std::string_view in(std::string_view en, std::string_view zh) const {
    return language_ == Language::english ? en : zh;
  }
  std::string_view help(const Facts& facts) const { return in(facts.en, facts.zh); }

  Language language_;
  std::string path_;
  std::vector<std::string> above_;
  std::string rows_;
};

std::string table(Language language) {
  Settings defaults;
  PageWriter writer(language);
  describe(defaults, writer);
  return writer.page();
}

constexpr std::string_view kHead = R"(# Settings

Every key of `sluice.yaml`. This page is written from the program's own table of settings.
本页由程序的设置表生成，列出 `sluice.yaml` 的所有键。[中文](#设置)

What needs no restart can also be changed while the box runs: such changes are kept in
`overlay.json` in `state_dir`, on top of the file. There an element of a list is addressed by its
name: `nodes.gpu-1.enabled`, `service_levels.default.ttft_ms`. A key of a cloud is never a setting:
`credential` names the file or the environment variable where it is found.

)";

constexpr std::string_view kChineseHead = R"(
# 设置

无需重启的设置可在运行中修改：修改保存在 `state_dir` 的 `overlay.json` 中，覆盖在文件之上。
列表中的元素以名称指定：`nodes.gpu-1.enabled`、`service_levels.default.ttft_ms`。
云端密钥不是设置项：`credential` 只写密钥所在的文件或环境变量。

)";

}  // namespace

std::string reference_page() {
  return std::string(kHead) + table(Language::english) + std::string(kChineseHead) +
         table(Language::chinese);
}

}  // namespace sluice::settings
