// Rulesets of the system's own programs (nft, tc), brought to what is wanted: a text is applied
// when it is another one than the last that was accepted, one program at a time, and tried again
// after kRetry when it was not. What is wanted meanwhile replaces what waits.
// Thread: loop. Lifetime: ends before the ports.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/programs.h"

namespace sluice::tunnel {

class RuleKeeper {
 public:
  static constexpr Duration kRetry = Duration::seconds(5);
  static constexpr Duration kVerify = Duration::seconds(60);

  RuleKeeper(ports::Programs& programs, const ports::Clock& clock, Log& log)
      : programs_(programs), clock_(clock), log_(log) {}
  ~RuleKeeper();
  RuleKeeper(const RuleKeeper&) = delete;
  RuleKeeper& operator=(const RuleKeeper&) = delete;

  // `subject`: what the text is about, for example "belt" or an interface. `program`: nft or tc.
  // `harmless`: its failing means nothing (removals).
  void want(const std::string& subject, const std::string& program,
            std::vector<std::string> arguments, std::string text, bool harmless = false);
  // Every kVerify the ruleset's program is run with these arguments. When it ends with another code
  // than 0, or what it says is not right, somebody has taken the ruleset away, and it is applied
  // again. No arguments: it is not looked after.
  using IsRight = std::function<bool(const std::string& output)>;
  void look_after(const std::string& subject, std::vector<std::string> arguments, IsRight is_right);
  void forget(const std::string& subject);  // it was made anew, or undone: applied again
  // Those of this prefix that are not named are kept no more, nor tried again.
  void keep_only(std::string_view prefix, const std::set<std::string>& subjects);
  void poll();  // once a second: tries again what failed
  bool is_applied(const std::string& subject) const;
  // Of one whose last try failed; empty: none did.
  std::string trouble() const;

 private:
  struct Ruleset {
    std::string program;
    std::vector<std::string> arguments;
    std::vector<std::string> question;
    IsRight is_right;
    Instant verify_at;
    std::string wanted;
    std::string applied;
    bool ever_applied = false;
    bool harmless = false;
    std::string trouble;
    Instant retry_at;
  };
  void next();
  void verify();
  void on_verified(const std::string& subject, const Result<ports::ProgramEnd>& end);
  void on_end(const std::string& subject, const std::string& text,
              const Result<ports::ProgramEnd>& end);
  void take(const std::string& subject, Ruleset& rules, const std::string& text,
            const Result<ports::ProgramEnd>& end);

  ports::Programs& programs_;
  const ports::Clock& clock_;
  Log& log_;
  std::map<std::string, Ruleset> rulesets_;  // by subject
  std::string running_;                      // subject; empty: none
  std::unique_ptr<ports::ProgramRun> run_;
  std::unique_ptr<ports::ProgramRun> ended_;  // it called back; destroyed when the next one has
};

}  // namespace sluice::tunnel
