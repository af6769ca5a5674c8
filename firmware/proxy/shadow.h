// A second rule or goal decides on the same ask, view and draw as the first, in a later turn of the
// loop and without acting; the difference is counted. It never changes what the first does: it
// stands behind it, on the way to the journal.
// What it cannot know: the world that its own choices would have made. Each request is judged in
// the world of the first, so that the counts are true for each request and a hint for all.
// A request that waits is decided more than once, and counted as often as it is recorded.
// Bounds: kPerSecondMax decisions are compared in a second, kPendingMax wait; the others are
// counted.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/decision_log.h"
#include "firmware/proxy/shadow_view.h"
#include "firmware/valve/rule.h"

namespace sluice::proxy {

// What is different from the first; nothing of both: off.
struct ShadowRule {
  std::string name;
  std::optional<valve::Rule> rule;  // with the first's goal
  std::optional<valve::Goal> goal;  // by the valve's own rule
  bool is_on() const { return rule.has_value() || goal.has_value(); }
  bool operator==(const ShadowRule&) const = default;
};

// Pure: one more decision of the first, compared with what the second makes of it.
void compare(const valve::Decision& first, const ShadowRule& second, ShadowReport& report);

class Shadow : public DecisionSink, public ShadowView {
 public:
  static constexpr int kPerSecondMax = 200;
  static constexpr size_t kPendingMax = 64;
  static constexpr size_t kPerTurnMax = 8;

  Shadow(DecisionSink& next, const ports::Clock& clock, const ports::Calendar& calendar,
         ports::Timers& timers);

  // Another one begins to count anew.
  void set_rule(const ShadowRule& rule);

  void on_decision(const valve::Decision& decision) override;
  std::optional<ShadowReport> shadow() const override;

 private:
  void on_turn();

  DecisionSink& next_;
  const ports::Clock& clock_;
  const ports::Calendar& calendar_;
  std::unique_ptr<ports::Timer> turn_;

  ShadowRule rule_;
  ShadowReport report_;
  std::deque<valve::Decision> pending_;
  Instant second_;  // began then
  int taken_ = 0;   // in it
};

}  // namespace sluice::proxy
