#include "firmware/tunnel/rule_keeper.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::tunnel {

RuleKeeper::~RuleKeeper() = default;

void RuleKeeper::want(const std::string& subject, const std::string& program,
                      std::vector<std::string> arguments, std::string text, bool harmless) {
  Ruleset& rules = rulesets_[subject];
  if (rules.wanted == text && rules.program == program) return next();
  rules.program = program;
  rules.arguments = std::move(arguments);
  rules.wanted = std::move(text);
  rules.harmless = harmless;
  rules.retry_at = {};
  next();
}

void RuleKeeper::keep_only(std::string_view prefix, const std::set<std::string>& subjects) {
  std::erase_if(rulesets_, [&](const auto& one) {
    return one.first.starts_with(prefix) && !subjects.contains(one.first);
  });
}

void RuleKeeper::forget(const std::string& subject) {
  const auto found = rulesets_.find(subject);
  if (found != rulesets_.end()) found->second.ever_applied = false;
}

void RuleKeeper::look_after(const std::string& subject, std::vector<std::string> arguments,
                            IsRight is_right) {
  const auto found = rulesets_.find(subject);
  if (found == rulesets_.end()) return;
  found->second.question = std::move(arguments);
  found->second.is_right = std::move(is_right);
}

void RuleKeeper::poll() {
  next();
  verify();
}

void RuleKeeper::verify() {
  if (!running_.empty()) return;
  for (auto& [subject, rules] : rulesets_) {
    if (rules.question.empty() || !rules.ever_applied || clock_.now() < rules.verify_at) continue;
    rules.verify_at = clock_.now() + kVerify;
    running_ = subject;
    ports::ProgramSpec spec;
    spec.program = rules.program;
    spec.arguments = rules.question;
    run_ = programs_.run(std::move(spec),
                         [this, subject = subject](const Result<ports::ProgramEnd>& end) {
                           on_verified(subject, end);
                         });
    return;
  }
}

void RuleKeeper::on_verified(const std::string& subject, const Result<ports::ProgramEnd>& end) {
  ended_ = std::move(run_);
  running_.clear();
  const auto found = rulesets_.find(subject);
  // A program that could not be run says nothing about the ruleset; it is asked again.
  if (found != rulesets_.end() && found->second.is_right && found->second.ever_applied && end &&
      (end->exit_code != 0 || !found->second.is_right(end->output))) {
    log_.warning("tunnel", "{}: somebody took it away; it is applied again", subject);
    found->second.ever_applied = false;
  }
  next();
}

bool RuleKeeper::is_applied(const std::string& subject) const {
  const auto found = rulesets_.find(subject);
  return found != rulesets_.end() && found->second.ever_applied &&
         found->second.applied == found->second.wanted;
}

void RuleKeeper::next() {
  if (!running_.empty()) return;
  for (auto& [subject, rules] : rulesets_) {
    if (rules.ever_applied && rules.applied == rules.wanted) continue;
    if (clock_.now() < rules.retry_at) continue;
    running_ = subject;
    ports::ProgramSpec spec;
    spec.program = rules.program;
    spec.arguments = rules.arguments;
    spec.input = rules.wanted;
    run_ = programs_.run(std::move(spec),
                         [this, subject = subject, text = rules.wanted](
                             const Result<ports::ProgramEnd>& end) { on_end(subject, text, end); });
    return;
  }
}

void RuleKeeper::on_end(const std::string& subject, const std::string& text,
                        const Result<ports::ProgramEnd>& end) {
  ended_ = std::move(run_);
  running_.clear();
  if (const auto found = rulesets_.find(subject); found != rulesets_.end()) {
    take(subject, found->second, text, end);
  }
  next();
}

void RuleKeeper::take(const std::string& subject, Ruleset& rules, const std::string& text,
                      const Result<ports::ProgramEnd>& end) {
  if (end && (end->exit_code == 0 || rules.harmless)) {
    rules.applied = text;
    rules.ever_applied = true;
    rules.verify_at = clock_.now() + kVerify;
    rules.trouble.clear();
    return;
  }
  const std::string why = end ? fmt::format("{} ended with {}: {}", rules.program, end->exit_code,
                                            end->errors.substr(0, 400))
                              : end.error().text;
  if (why != rules.trouble) log_.error("tunnel", "{}: {}", subject, why);
  rules.trouble = why;
  rules.retry_at = clock_.now() + kRetry;
}

std::string RuleKeeper::trouble() const {
  for (const auto& [subject, rules] : rulesets_) {
    if (!rules.trouble.empty()) return subject + ": " + rules.trouble;
  }
  return "";
}

}  // namespace sluice::tunnel
