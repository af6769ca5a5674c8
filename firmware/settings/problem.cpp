#include "firmware/settings/problem.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"

namespace sluice::settings {

using ports::ConfigNode;

std::string Problem::sentence() const {
  if (key.empty()) return fmt::format("{}: {}", where, text);
  return fmt::format("{}: {}: {}", where, key, text);
}

std::string Sources::place(const ConfigNode& node) const {
  if (node.line > 0) return fmt::format("{}:{}", file, node.line);
  const size_t entry = static_cast<size_t>(-(node.line + 1));
  if (node.line < 0 && entry < overlay.size()) return overlay[entry];
  return file;
}

std::string Sources::origin(const ConfigNode* node) const {
  return node == nullptr || node->line == 0 ? "default" : place(*node);
}

const ConfigNode& nearest_node(const ConfigNode& root, std::string_view path) {
  const ConfigNode* at = &root;
  for (std::string_view part : split(path, '.')) {
    const size_t bracket = part.find('[');
    const ConfigNode* next = at->find(part.substr(0, bracket));
    if (next == nullptr) return *at;
    at = next;
    if (bracket == std::string_view::npos) continue;
    const auto index = to_integer(part.substr(bracket + 1, part.size() - bracket - 2));
    if (!index || *index < 0 || static_cast<size_t>(*index) >= at->items.size()) return *at;
    at = &at->items[static_cast<size_t>(*index)];
  }
  return *at;
}

void Report::add(const ConfigNode& at, std::string key, std::string text) {
  problems_.push_back({sources_.place(at), std::move(key), std::move(text), at.line});
}

bool Report::complains_about(const std::string& key) const {
  return std::any_of(problems_.begin(), problems_.end(), [&key](const Problem& problem) {
    const std::string& known = problem.key;
    return known == key || (known.size() > key.size() && known.compare(0, key.size(), key) == 0 &&
                            (known[key.size()] == '[' || known[key.size()] == '.'));
  });
}

void Report::add_between(const std::string& key, const std::vector<std::string>& others,
                         std::string text) {
  if (complains_about(key)) return;
  for (const std::string& other : others) {
    if (complains_about(other)) return;
  }
  add(nearest_node(root_, key), key, std::move(text));
}

std::vector<Problem> Report::take_sorted() {
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  return std::move(problems_);
}

std::string to_text(const std::vector<Problem>& problems) {
  std::string text;
  for (size_t i = 0; i < problems.size() && i < kProblemsMax; ++i) {
    text += problems[i].sentence() + "\n";
  }
  if (problems.size() > kProblemsMax) {
    text += fmt::format("... and {} more\n", problems.size() - kProblemsMax);
  }
  return text;
}

}  // namespace sluice::settings
