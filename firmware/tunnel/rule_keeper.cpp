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

void RuleKeeper::forget(const std::string& subject) {
  const auto found = rulesets_.find(subject);
  if (found != rulesets_.end()) found->second.ever_applied = false;
}

void RuleKeeper::poll() { next(); }

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
    ended_.reset();
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
  Ruleset& rules = rulesets_[subject];
  const bool well = end && (end->exit_code == 0 || rules.harmless);
  if (well) {
    rules.applied = text;
    rules.ever_applied = true;
    trouble_.clear();
  } else {
    const std::string why = end ? fmt::format("{} ended with {}: {}", rules.program, end->exit_code,
                                              end->errors.substr(0, 400))
                                : end.error().text;
    if (why != trouble_) log_.error("tunnel", "{}: {}", subject, why);
    trouble_ = why;
    rules.retry_at = clock_.now() + kRetry;
  }
  next();
}

}  // namespace sluice::tunnel
