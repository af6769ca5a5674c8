#include "firmware/valve/decide.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace sluice::valve {

namespace {

// How long an answer may be whose request names no maximum.
constexpr int64_t kUnsaidOutputTokens = 4096;

struct Choice {
  const NodeView* node = nullptr;
  Forecast forecast;
  Money cost;
  bool late = false;  // in slow start and not this time
};

// What the nodes of this view offer to this ask.
struct Field {
  std::vector<Choice> locals;  // usable, best first
  std::vector<Choice> clouds;  // usable, best first
  bool any_local = false;      // permitted, usable or not
  bool any_cloud = false;
  bool full_cloud = false;  // one that is well but at its limit
};

bool is_usable(const NodeView& node) {
  if (node.health == Health::down) return false;
  if (node.health == Health::probing) return node.in_flight == 0;
  return true;
}

// What runs at once in a cloud node is bounded by contract, not by speed: beyond it is no place.
bool is_full(const NodeView& node) {
  return node.place == Place::cloud && node.slots > 0 && node.in_flight >= node.slots;
}

Money cost_of(const NodeView& node, const Ask& ask, const Policy& policy) {
  const Tokens out = ask.output_tokens_max.count > 0
                         ? std::min(ask.output_tokens_max, policy.expected_output)
                         : policy.expected_output;
  const double carbon_kg = static_cast<double>(node.carbon_ug_per_token) *
                           static_cast<double>(ask.prompt_tokens.count + out.count) / 1e9;
  const double carbon_nano = carbon_kg * static_cast<double>(policy.carbon_price_nano_per_kg);
  return {node.price_in_nano * ask.prompt_tokens.count + node.price_out_nano * out.count +
          static_cast<int64_t>(carbon_nano)};
}

// What this node drew: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t lot(const NodeView& node, Draw draw) {
  uint64_t z = draw.value + (node.id.index + 1) * 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// A node in slow start takes `share` of what would be its own: the draw says whose turn it is.
bool skips_turn(const NodeView& node, Draw draw) {
  if (node.health != Health::slow_start) return false;
  return static_cast<double>(lot(node, draw) >> 11) * 0x1p-53 > node.share;
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

Field survey(const Ask& ask, const View& view, const Policy& policy, Draw draw) {
  Field field;
  for (const NodeView& node : view.nodes) {
    if (!ask.may_use.has(node.id)) continue;
    const bool local = node.place == Place::local;
    if (!local && ask.stays_home) continue;  // whatever may_use says
    (local ? field.any_local : field.any_cloud) = true;
    if (!is_usable(node)) continue;
    if (is_full(node)) {
      field.full_cloud = true;
      continue;
    }
    Choice choice{&node, forecast(node, ask, policy, view.now), cost_of(node, ask, policy),
                  !local && skips_turn(node, draw)};
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
  std::sort(field.clouds.begin(), field.clouds.end(), [&](const Choice& a, const Choice& b) {
    if (const auto before = goes_before(a, b)) return *before;
    if (!fits(a) && a.forecast.level != b.forecast.level)
      return a.forecast.level < b.forecast.level;
    if (a.cost != b.cost) return a.cost < b.cost;
    return lot(*a.node, draw) < lot(*b.node, draw);
  });
  return field;
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

// An answer in one piece has its first byte when it is done: its tokens get twice the time that
// they should take, so that a long answer is no failure and a hung engine is still one.
Duration first_byte_max(const Ask& ask, const Forecast& forecast, const Policy& policy) {
  if (ask.stream) return policy.first_byte_max;
  const int64_t tokens =
      ask.output_tokens_max.count > 0 ? ask.output_tokens_max.count : kUnsaidOutputTokens;
  return policy.first_byte_max + std::max(forecast.tpot, ask.level.tpot_max) * (2 * tokens);
}

void append(Plan& plan, const std::vector<Choice>& choices, const Ask& ask, const View& view,
            const Policy& policy) {
  for (const Choice& choice : choices) {
    if (plan.candidates.size() >= static_cast<size_t>(std::max(1, policy.attempts_max))) return;
    const NodeId id = choice.node->id;
    const auto same = [id](const Candidate& c) { return c.node == id; };
    if (std::any_of(plan.candidates.begin(), plan.candidates.end(), same)) continue;
    const Duration first_byte =
        std::min(first_byte_max(ask, choice.forecast, policy), ask.deadline - view.now);
    plan.candidates.push_back({id, choice.node->place, first_byte, choice.forecast, choice.cost});
  }
}

Plan send(Plan plan, Reason reason, const std::vector<Choice>& first,
          const std::vector<Choice>& then, const Ask& ask, const View& view, const Policy& policy) {
  plan.verdict = Verdict::send;
  plan.reason = reason;
  append(plan, first, ask, view, policy);
  append(plan, then, ask, view, policy);
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

Plan stay(Plan plan, const Field& field, const Ask& ask, const View& view, const Policy& policy) {
  if (!field.any_local) {
    if (!policy.overflow) return end(plan, Verdict::refuse, Reason::closed_no_local);
    const Reason why = field.full_cloud ? Reason::cloud_full : Reason::down_no_cloud;
    return end(plan, policy.hold ? Verdict::hold : Verdict::refuse, why);
  }
  if (field.locals.empty()) {
    const Reason reason = ask.stays_home                        ? Reason::down_stays_home
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
  if (ask.stays_home) {
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
    return end(plan, Verdict::refuse, Reason::not_permitted);
  }
  const bool cloud_can = policy.overflow && !field.clouds.empty();
  if (!field.locals.empty()) {
    const Forecast& best = field.locals.front().forecast;
    plan.level = best.level;
    plan.line = best.line;
    const bool draining = policy.overflow && is_draining(best, view, policy);
    const bool cloud_fits = cloud_can && fits(field.clouds.front());
    if (best.level <= 1 && !(draining && cloud_fits)) {
      if (view.held > 0 && policy.hold && !cloud_can) {
        return end(plan, Verdict::hold, Reason::waits_its_turn);
      }
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
