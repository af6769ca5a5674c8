#include "firmware/valve/forecast.h"

#include <algorithm>
#include <cmath>

#include "firmware/valve/engine_forecast.h"

namespace sluice::valve {

namespace {

// A rise smaller than this share is noise: the curve is taken as flat beyond it.
constexpr double kRiseMin = 0.02;
// A cloud node's curve is followed this many times beyond the greatest measured concurrency.
constexpr int kExtrapolationMax = 2;
// No curve is followed beyond this: the search for the line is short, whatever a node claims.
constexpr int kFollowedMax = 16384;

// Of the curve's end, in microseconds per request: from the last point that lies clearly below the
// end to the end.
double end_slope_us(const std::vector<TpotPoint>& points) {
  const TpotPoint& end = points.back();
  for (auto low = points.rbegin() + 1; low != points.rend(); ++low) {
    if (low->tpot > end.tpot.scaled(1 - kRiseMin)) continue;
    const double rise = static_cast<double>((end.tpot - low->tpot).as_us());
    return rise / std::max(1, end.concurrency - low->concurrency);
  }
  return 0;
}

// The greatest concurrency up to `last`, from `from` on, at which the time stays within `wanted`.
// Times between these two lie on one straight line, and at `from` they do stay.
int last_within(const NodeView& node, int from, int last, Duration wanted) {
  if (tpot_at(node, last) <= wanted) return last;
  while (last - from > 1) {
    const int middle = from + (last - from) / 2;
    (tpot_at(node, middle) <= wanted ? from : last) = middle;
  }
  return from;
}

// How many at a time, up to `last`, before the curve first exceeds `wanted`.
int fitting(const NodeView& node, int last, Duration wanted) {
  if (last <= 0 || node.tpot.front().tpot > wanted) return 0;
  int fits = std::min(last, std::max(0, node.tpot.front().concurrency));
  for (const TpotPoint& point : node.tpot) {
    if (point.concurrency <= fits) continue;
    const int end = std::min(last, point.concurrency);
    const int within = last_within(node, fits, end, wanted);
    if (within < end || end == last) return within;
    fits = end;
  }
  return last_within(node, fits, last, wanted);
}

// How far the engine is known, or believed, to bear concurrency; 0 = without bound.
int trusted_concurrency(const NodeView& node, const Policy& policy) {
  if (node.untried_concurrency == 0) return 0;
  const int measured = node.tpot.empty() ? 0 : node.tpot.back().concurrency;
  const int next = measured + 1 + static_cast<int>(std::floor(measured * policy.growth));
  return std::max(node.untried_concurrency, next);
}

// Requests ahead of this one for a slot, and the slots they wait for. The engine's own queue shows
// its slots even where nobody declared them: all that are taken.
struct SlotQueue {
  int ahead = 0;
  int slots = 0;
};

SlotQueue slot_queue(const NodeView& node, bool fresh) {
  const int present = node.in_flight + (fresh ? node.others : 0);
  const int running = present - node.waiting;
  if (fresh && node.waiting > 0 && running > 0) return {node.waiting + 1, running};
  if (node.slots > 0) return {present + 1 - node.slots, node.slots};
  return {};
}

Duration ttft_of(const NodeView& node, const Ask& ask, const Policy& policy, bool fresh) {
  const double us_per_token = node.prefill_us_per_token > 0
                                  ? node.prefill_us_per_token
                                  : 1e6 / std::max(1.0, policy.untried_prefill_tps);
  const double ahead = static_cast<double>((node.prefill_backlog + ask.prompt_tokens).count);
  double us = static_cast<double>(node.ttft_base.as_us()) + ahead * us_per_token;
  const SlotQueue queue = slot_queue(node, fresh);
  if (queue.ahead > 0) {
    us += static_cast<double>(node.residence.as_us()) * queue.ahead / queue.slots;
  }
  return Duration::us(static_cast<int64_t>(us));
}

}  // namespace

Duration tpot_at(const NodeView& node, int concurrency) {
  if (node.tpot.empty()) return Duration();
  const TpotPoint* low = &node.tpot.front();
  if (concurrency <= low->concurrency) return low->tpot;
  for (const TpotPoint& high : node.tpot) {
    if (high.concurrency < concurrency) {
      low = &high;
      continue;
    }
    if (high.concurrency == low->concurrency) return high.tpot;
    const int64_t span = high.concurrency - low->concurrency;
    return low->tpot + (high.tpot - low->tpot) * (concurrency - low->concurrency) / span;
  }
  const double slope = end_slope_us(node.tpot);
  const int beyond = concurrency - node.tpot.back().concurrency;
  return node.tpot.back().tpot + Duration::us(static_cast<int64_t>(slope * beyond));
}

int line_of(const NodeView& node, Duration tpot_max, const Policy& policy, Bound* bound) {
  Bound ignored = Bound::none;
  Bound& which = bound == nullptr ? ignored : *bound;
  if (node.step.is_known()) {
    return line_of_engine(node, node.moment.duty, tpot_max.scaled(policy.margin), which);
  }
  which = Bound::none;
  int line = trusted_concurrency(node, policy);
  if (line > 0) which = Bound::untried;
  if (!tpot_max.is_zero() && !node.tpot.empty()) {
    const Duration wanted = tpot_max.scaled(policy.margin);
    const int measured = std::min(node.tpot.back().concurrency, kFollowedMax);
    const int last = line > 0 ? std::min(line, kFollowedMax) : measured * kExtrapolationMax;
    const int fits = fitting(node, last, wanted);
    if (fits < last) {
      line = std::max(1, fits);
      which = Bound::tpot;
    }
  }
  if (node.slots > 0 && (line == 0 || node.slots < line)) {
    line = node.slots;
    which = Bound::slots;
  }
  if (line > 0 && node.health == Health::slow_start) {
    line = std::max(1, static_cast<int>(line * node.share));
  }
  return line;
}

Duration waited_of(const Ask& ask, Instant now) {
  const Duration waited = now - ask.arrived;
  return waited < ask.level.ttft_max ? waited : Duration();
}

Forecast forecast(const NodeView& node, const Ask& ask, const Policy& policy, Instant now,
                  Tokens held) {
  if (node.step.is_known()) return engine_forecast(node, ask, policy, now, held);
  Forecast f;
  const bool fresh = now <= node.leased_until;
  f.concurrency = node.in_flight + (fresh ? node.others : 0) + 1;
  f.tpot = tpot_at(node, f.concurrency);
  const Duration ahead = ttft_of(node, ask, policy, fresh);
  const Duration waited = waited_of(ask, now);
  f.ttft = waited + ahead;
  f.ttft_high = waited + ahead.scaled(1 + node.ttft_spread);
  Duration promised = ask.level.tpot_max;
  if (!node.strictest_tpot.is_zero()) promised = std::min(promised, node.strictest_tpot);
  f.line = line_of(node, promised, policy, &f.bound);
  if (f.line > 0) f.level = static_cast<double>(f.concurrency) / f.line;
  // An engine too slow for the promise even when idle has a line of 1 that nobody fits under.
  const double tpot_level = f.tpot / promised.scaled(policy.margin);
  if (f.bound == Bound::tpot && f.level <= 1) f.level = std::max(f.level, tpot_level);
  f.crowd_level = f.level;
  const double ttft_level = f.ttft / ask.level.ttft_max.scaled(policy.margin);
  if (ttft_level > f.level) {
    f.level = ttft_level;
    f.bound = Bound::ttft;
  }
  return f;
}

}  // namespace sluice::valve
