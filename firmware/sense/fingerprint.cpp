#include "firmware/sense/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/sense/value_source.h"

namespace sluice::sense {

namespace {

constexpr size_t kPrefixCandidatesMax = 64;
constexpr size_t kPrefixBytesMax = 64;

// The names of a page, each once.
class Names {
 public:
  explicit Names(const Exposition& page) {
    for (const Sample& sample : page.samples) names_.push_back(sample.name);
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  }
  bool has(const std::string& name) const {
    return std::binary_search(names_.begin(), names_.end(), name);
  }
  const std::vector<std::string_view>& all() const { return names_; }

 private:
  std::vector<std::string_view> names_;
};

bool names_fit(const Names& names, const FingerprintFacts& print, const std::string& prefix) {
  const auto is_there = [&](const std::string& name) { return names.has(prefix + name); };
  return std::all_of(print.all_of.begin(), print.all_of.end(), is_there) &&
         (print.any_of.empty() || std::any_of(print.any_of.begin(), print.any_of.end(), is_there));
}

std::optional<std::string> other_prefix(const Names& names, const FingerprintFacts& print) {
  const std::string& wanted = print.all_of.empty() ? print.any_of.front() : print.all_of.front();
  size_t tried = 0;
  for (const std::string_view name : names.all()) {
    if (!name.ends_with(wanted) || name.size() - wanted.size() > kPrefixBytesMax) continue;
    if (++tried > kPrefixCandidatesMax) return std::nullopt;
    const std::string prefix(name.substr(0, name.size() - wanted.size()));
    if (names_fit(names, print, prefix)) return prefix;
  }
  return std::nullopt;
}

std::string prefix_of(const Names& names, const DriverFacts& facts) {
  if (!facts.fingerprint.has_page()) return facts.prefixes.front();
  for (const std::string& prefix : facts.prefixes) {
    if (names_fit(names, facts.fingerprint, prefix)) return prefix;
  }
  if (facts.any_prefix) {
    if (std::optional<std::string> prefix = other_prefix(names, facts.fingerprint)) return *prefix;
  }
  return facts.prefixes.front();
}

bool holds(const Exposition& page, const LabelCondition& condition, const std::string& prefix) {
  using Test = LabelCondition::Test;
  const std::string metric = prefix + condition.metric;
  bool found = false;
  bool starts = false;
  for (const Sample& sample : page.samples) {
    if (!condition.metric.empty() && sample.name != metric) continue;
    const Label* label = page.label(sample, condition.label);
    if (label == nullptr) continue;
    found = true;
    starts = starts || unescape_label(label->escaped).starts_with(condition.text);
  }
  switch (condition.test) {
    case Test::present:
      return found;
    case Test::absent:
      return !found;
    case Test::starts_with:
      return starts;
    case Test::not_starts_with:
      return !starts;
  }
  return false;
}

std::string to_text(const LabelCondition& condition) {
  using Test = LabelCondition::Test;
  const std::string on = condition.metric.empty() ? "its series" : condition.metric;
  switch (condition.test) {
    case Test::present:
      return fmt::format("{} carry no label {}", on, condition.label);
    case Test::absent:
      return fmt::format("{} carry a label {}", on, condition.label);
    case Test::starts_with:
      return fmt::format("no {} of {} begins with {}", condition.label, on, condition.text);
    case Test::not_starts_with:
      return fmt::format("a {} of {} begins with {}", condition.label, on, condition.text);
  }
  return on;
}

void match_page(const Exposition& page, const DriverFacts& facts, FingerprintMatch& match) {
  const FingerprintFacts& print = facts.fingerprint;
  const Names names(page);
  match.prefix = prefix_of(names, facts);
  for (const std::string& name : print.all_of) {
    if (names.has(match.prefix + name)) {
      match.matched.push_back(match.prefix + name);
    } else if (match.why_not.empty()) {
      match.why_not = fmt::format("there is no {}", match.prefix + name);
    }
  }
  const size_t before = match.matched.size();
  for (const std::string& name : print.any_of) {
    if (names.has(match.prefix + name)) match.matched.push_back(match.prefix + name);
  }
  if (!print.any_of.empty() && match.matched.size() == before && match.why_not.empty()) {
    match.why_not = fmt::format("there is none of {}", fmt::join(print.any_of, ", "));
  }
  for (const std::string& name : print.none_of) {
    if (!names.has(name) || !match.why_not.empty()) continue;
    match.why_not = fmt::format("there is {}, which is another's", name);
  }
  for (const LabelCondition& condition : print.labels) {
    if (!match.why_not.empty()) break;
    if (!holds(page, condition, match.prefix)) match.why_not = to_text(condition);
  }
  match.fits = match.why_not.empty();
}

bool holds(const Answers& answers, const DocumentCondition& condition) {
  const DocumentAnswer* document = answers.document(condition.path);
  if (document == nullptr) return false;
  for (const ports::JsonValue* member : find_members(*document->json, condition.member)) {
    if (!condition.equals) return true;
    const std::string* text = member->as_text();
    if (text != nullptr && *text == *condition.equals) return true;
  }
  return false;
}

}  // namespace

FingerprintMatch fingerprint(const Answers& answers, const DriverFacts& facts) {
  FingerprintMatch match;
  if (facts.fingerprint.has_page()) {
    if (answers.page != nullptr) {
      match_page(*answers.page, facts, match);
    } else {
      match.why_not = "no metrics page was answered";
    }
  }
  for (const DocumentCondition& condition : facts.fingerprint.documents) {
    if (!holds(answers, condition)) continue;
    match.fits = true;
    match.why_not.clear();
    match.matched.push_back(condition.path + " " + condition.member);
  }
  if (match.fits || !match.why_not.empty()) return match;
  match.why_not = !facts.no_names.empty()               ? facts.no_names
                  : facts.fingerprint.documents.empty() ? "nothing proves this driver"
                                                        : "none of its documents was answered";
  return match;
}

std::string prefix_on(const Exposition& page, const DriverFacts& facts) {
  if (!facts.any_prefix && facts.prefixes.size() == 1) return facts.prefixes.front();
  return prefix_of(Names(page), facts);
}

}  // namespace sluice::sense
