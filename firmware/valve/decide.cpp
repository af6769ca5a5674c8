#include "firmware/valve/decide.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "firmware/valve/candidate.h"
#include "firmware/valve/hedge.h"
#include "firmware/valve/score.h"
#include "firmware/valve/splitmix.h"

namespace sluice::valve {

namespace {

// Between two decisions on a request that waits a step passes, and a little more.
constexpr Duration kReaction = Duration::ms(60);
// Nothing is held for less.
constexpr Duration kHoldMin = Duration::ms(5);
// What waits for a place is asked again after this, though nothing was heard meanwhile.
constexpr Duration kLookAgain = Duration::ms(250);

struct Choice {
  const NodeView* node = nullptr;
  Forecast forecast;
  Score score;
  Rank rank;          // of a cloud node
  bool late = false;  // in slow start and not this time
};

// What the nodes of this view offer to this ask.
struct Field {
  std::vector<Choice> locals;  // usable, best first
  std::vector<Choice> clouds;  // usable, best first
  bool any_local = false;      // permitted, usable or not
  bool any_cloud = false;
  bool full_cloud = false;           // one that is well but at its limit
  Bar nearest = Bar::not_permitted;  // of those that are barred, the one that was nearest
  bool over_budget = false;          // one was barred by the budget
  Tokens context_max;                // the longest context that there was
};

// What this node drew, uniform in [0, 1).
double part(const NodeView& node, Draw draw) {
  const uint64_t lot = splitmix(draw.value + (node.id.index + 1) * kGoldenGamma);
  return static_cast<double>(lot >> 11) * 0x1p-53;
}

// A node in slow start takes `share` of what would be its own: the draw says whose turn it is.
bool skips_turn(const NodeView& node, Draw draw) {
  return node.health == Health::slow_start && part(node, draw) > node.share;
}

bool fits(const Choice& choice) { return choice.forecast.level <= 1 && !choice.late; }

// Whether `a` goes before `b` whatever they cost: what keeps the level, and of that what has
// answered before. Nothing: they are alike in this.
std::optional<bool> goes_before(const Choice& a, const Choice& b) {
  if (fits(a) != fits(b)) return fits(a);
  const bool a_unknown = a.node->health == Health::unknown;
  const bool b_unknown = b.node->health == Health::unknown;
  if (fits(a) && a_unknown != b_unknown) return b_unknown;
  return std::nullopt;
}

// The least score first, of those that keep the level.
void order_clouds(std::vector<Choice>& clouds, Draw draw) {
  Money least{std::numeric_limits<int64_t>::max()};
  for (const Choice& choice : clouds) {
    if (fits(choice)) least = std::min(least, choice.score.total());
  }
  for (Choice& choice : clouds) {
    choice.rank =
        rank_of(*choice.node, choice.score.total(), least, part(*choice.node, {~draw.value}));
  }
  std::sort(clouds.begin(), clouds.end(), [](const Choice& a, const Choice& b) {
    if (const auto before = goes_before(a, b)) return *before;
    if (!fits(a) && a.forecast.level != b.forecast.level)
      return a.forecast.level < b.forecast.level;
    if (a.rank < b.rank || b.rank < a.rank) return a.rank < b.rank;
    return a.node->id < b.node->id;
  });
}

void note_bar(Field& field, const NodeView& node, Bar bar) {
  if (bar > field.nearest) field.nearest = bar;
  if (bar == Bar::too_long) field.context_max = std::max(field.context_max, node.context_max);
  if (bar == Bar::over_budget) field.over_budget = true;
  if (bar == Bar::full) field.full_cloud = true;
  if (bar == Bar::down || bar == Bar::full || bar == Bar::none) {
    (node.place == Place::local ? field.any_local : field.any_cloud) = true;
  }
}

Field survey(const Ask& ask, const View& view, const Policy& policy, Draw draw) {
  Field field;
  field.locals.reserve(view.nodes.size());
  field.clouds.reserve(view.nodes.size());
  const Tokens needed = context_needed(ask, view);
  for (const NodeView& node : view.nodes) {
    const Bar bar = bar_of(node, ask, needed);
    note_bar(field, node, bar);
    if (bar != Bar::none) continue;
    Choice choice;
    choice.node = &node;
    const bool local = node.place == Place::local;
    const Tokens held = local && policy.hold ? view.held_prompt : Tokens();
    choice.forecast = forecast(node, ask, policy, view.now, held);
    choice.score = score(node, ask, choice.forecast, policy);
    choice.late = !local && skips_turn(node, draw);
    (local ? field.locals : field.clouds).push_back(choice);
  }
  std::sort(field.locals.begin(), field.locals.end(), [](const Choice& a, const Choice& b) {
    if (const auto before = goes_before(a, b)) return *before;
    if (a.forecast.level != b.forecast.level) return a.forecast.level < b.forecast.level;
    const int a_running = a.forecast.concurrency;
    const int b_running = b.forecast.concurrency;
    if (a_running != b_running) return a_running < b_running;  // alike while the curve is flat
    return a.node->id < b.node->id;
  });
  order_clouds(field.clouds, draw);
  return field;
}

// The last moment at which this request could be turned to another node and keep its TTFT.
Instant last_safe_moment(const Choice& local, const Choice& other, const Ask& ask, const View& view,
                         const Policy& policy) {
  const StepModel& step = local.node->step;
  const EngineMoment& moment = local.node->moment;
  const double step_us =
      step.is_known() ? step.full_us(moment.decoding, static_cast<double>(moment.kv.count)) : 0;
  const Duration reaction = kReaction + Duration::us(static_cast<int64_t>(step_us));
  return view.now + (ask.level.ttft_max.scaled(policy.margin) - other.forecast.ttft_high) -
         reaction;
}

// Until when it is better to wait here than to go to the local engine now, or elsewhere; nothing:
// it is not. `until`: it can be turned elsewhere up to then.
std::optional<Instant> wait_until(const Choice& local, Instant until, bool cloud_can,
                                  const View& view) {
  const Forecast& here = local.forecast;
  if (!local.node->step.is_known()) return std::nullopt;
  // It will do well after the one that it would make late, and nothing is lost by waiting.
  if (here.level <= 1 && here.makes_late) return view.now + kLookAgain;
  if (until < view.now + kHoldMin) return std::nullopt;
  const Instant again = std::min(until, view.now + kLookAgain);
  if (here.level <= 1) return here.queues || view.held > 0 ? std::optional(again) : std::nullopt;
  if (!cloud_can || here.bound == Bound::ttft || here.crowd_level <= 1) return std::nullopt;
  // A place comes free once in residence / line.
  const Duration place = local.node->residence / std::max(1, here.line);
  if (place.is_zero() || view.now + place * (view.held + 1) >= until) return std::nullopt;
  return again;
}

// Hysteresis: an open valve closes when a few places below the line are free.
bool is_draining(const Forecast& forecast, const View& view, const Policy& policy) {
  if (!view.overflowing || forecast.line == 0) return false;
  const int band = static_cast<int>(std::floor(forecast.line * policy.hysteresis));
  return forecast.concurrency > forecast.line - band;
}

Reason reason_of(const Forecast& forecast) {
  switch (forecast.bound) {
    case Bound::ttft:
      return Reason::local_ttft;
    case Bound::untried:
      return Reason::local_untried;
    case Bound::slots:
      return Reason::local_slots;
    case Bound::tpot:
    case Bound::none:
      break;
  }
  return Reason::local_tpot;
}

void append(Plan& plan, const std::vector<Choice>& choices, const Ask& ask, const View& view,
            const Policy& policy) {
  for (const Choice& choice : choices) {
    if (plan.candidates.size() >= static_cast<size_t>(std::max(1, policy.attempts_max))) return;
    const NodeId id = choice.node->id;
    const auto same = [id](const Candidate& c) { return c.node == id; };
    if (std::any_of(plan.candidates.begin(), plan.candidates.end(), same)) continue;
    const Duration tpot = std::max(choice.forecast.tpot, ask.level.tpot_max);
    plan.candidates.push_back(candidate_of(*choice.node, choice.forecast, choice.score,
                                           first_byte_max(ask, tpot, view.now, policy)));
  }
}

Plan send(Plan plan, Reason reason, const std::vector<Choice>& first,
          const std::vector<Choice>& then, const Ask& ask, const View& view, const Policy& policy) {
  plan.verdict = Verdict::send;
  plan.reason = reason;
  append(plan, first, ask, view, policy);
  append(plan, then, ask, view, policy);
  plan.hedge_after = hedge_after(plan, ask, view, policy);
  return plan;
}

Plan end(Plan plan, Verdict verdict, Reason reason) {
  plan.verdict = verdict;
  plan.reason = reason;
  return plan;
}

// Nothing can be gained by waiting: the place is there, or the engine is idle and slow by itself.
bool waiting_is_pointless(const Choice& local) {
  if (local.forecast.concurrency <= 1) return true;
  return local.forecast.crowd_level <= 1 && local.node->prefill_backlog.count == 0;
}

Plan overflow(Plan plan, const Field& field, const Ask& ask, const View& view,
              const Policy& policy) {
  if (!field.any_local) {
    return send(plan, Reason::no_local, field.clouds, {}, ask, view, policy);
  }
  if (field.locals.empty()) {
    return send(plan, Reason::local_down, field.clouds, {}, ask, view, policy);
  }
  const Forecast& here = field.locals.front().forecast;
  const Forecast& there = field.clouds.front().forecast;
  if (here.level > 1 && here.crowd_level <= 1 && there.ttft >= here.ttft) {
    return send(plan, Reason::cloud_no_better, field.locals, field.clouds, ask, view, policy);
  }
  const bool local_fits = here.level <= 1;
  plan.overflowing = here.crowd_level > 1 || (view.overflowing && local_fits);
  const Reason reason = local_fits ? Reason::local_draining : reason_of(here);
  return send(plan, reason, field.clouds, field.locals, ask, view, policy);
}

// No node may be asked at all: what the nearest of them lacked.
Plan refuse(Plan plan, const Field& field) {
  switch (field.nearest) {
    case Bar::no_feature:
      return end(plan, Verdict::refuse, Reason::no_feature);
    case Bar::too_long:
      plan.context_max = field.context_max;
      return end(plan, Verdict::refuse, Reason::too_long);
    case Bar::over_budget:
      return end(plan, Verdict::refuse, Reason::over_budget);
    case Bar::not_permitted:
    case Bar::down:
    case Bar::full:
    case Bar::none:
      break;
  }
  return end(plan, Verdict::refuse, Reason::not_permitted);
}

Plan stay(Plan plan, const Field& field, const Ask& ask, const View& view, const Policy& policy) {
  if (!field.any_local) {
    if (!policy.overflow) return end(plan, Verdict::refuse, Reason::closed_no_local);
    const Reason why = field.full_cloud ? Reason::cloud_full : Reason::down_no_cloud;
    return end(plan, policy.hold ? Verdict::hold : Verdict::refuse, why);
  }
  if (field.locals.empty()) {
    const Reason reason = field.over_budget                     ? Reason::budget_stays_home
                          : ask.stays_home                      ? Reason::down_stays_home
                          : field.any_cloud && !policy.overflow ? Reason::down_overflow_off
                                                                : Reason::down_no_cloud;
    return end(plan, policy.hold ? Verdict::hold : Verdict::refuse, reason);
  }
  if (!policy.hold) {
    const Reason reason = policy.overflow ? Reason::last_resort : Reason::overflow_off;
    return send(plan, reason, field.locals, {}, ask, view, policy);
  }
  if (waiting_is_pointless(field.locals.front())) {
    return send(plan, Reason::last_resort, field.locals, {}, ask, view, policy);
  }
  Reason reason = Reason::full_no_cloud;
  if (field.over_budget) {
    reason = Reason::budget_stays_home;
  } else if (ask.stays_home) {
    reason = Reason::full_stays_home;
  } else if (!policy.overflow && field.any_cloud) {
    reason = Reason::full_overflow_off;
  }
  return end(plan, Verdict::hold, reason);
}

}  // namespace

Plan decide(const Ask& ask, const View& view, const Policy& policy, Draw draw) {
  Plan plan;
  plan.overflowing = view.overflowing && policy.overflow;
  if (view.now >= ask.deadline) return end(plan, Verdict::refuse, Reason::past_deadline);
  const Field field = survey(ask, view, policy, draw);
  if (!field.any_local && !field.any_cloud) {
    return refuse(std::move(plan), field);
  }
  const bool cloud_can = policy.overflow && !field.clouds.empty();
  if (!field.locals.empty()) {
    const Forecast& best = field.locals.front().forecast;
    plan.level = best.level;
    plan.line = best.line;
    const bool draining = policy.overflow && is_draining(best, view, policy);
    const bool cloud_fits = cloud_can && fits(field.clouds.front());
    const Choice& local = field.locals.front();
    const Instant until =
        cloud_can ? last_safe_moment(local, field.clouds.front(), ask, view, policy) : ask.deadline;
    const auto wait = policy.hold ? wait_until(local, until, cloud_can, view) : std::nullopt;
    if (wait) {
      plan.decide_by = *wait;
      return end(plan, Verdict::hold, Reason::waits_for_place);
    }
    if (best.level <= 1 && !(draining && cloud_fits)) {
      if (view.held > 0 && policy.hold && !cloud_can) {
        return end(plan, Verdict::hold, Reason::waits_its_turn);
      }
      if (cloud_can && ask.stream && until > view.now) plan.rescue_at = until;
      plan.overflowing = draining;  // one that must stay home does not close it for the others
      const std::vector<Choice> none;
      return send(plan, Reason::local_fits, field.locals, cloud_can ? field.clouds : none, ask,
                  view, policy);
    }
  }
  if (cloud_can) return overflow(plan, field, ask, view, policy);
  return stay(plan, field, ask, view, policy);
}

}  // namespace sluice::valve
