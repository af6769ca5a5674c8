#include "firmware/valve/engine_forecast.h"

#include <algorithm>
#include <climits>
#include <cmath>

#include "firmware/valve/splitmix.h"

namespace sluice::valve {

namespace {

// Context of a sequence about which nothing is known.
constexpr double kContextGuess = 1000;
// How long the load that a prompt brings is counted as such in the share of prefill.
constexpr double kDutyHorizonUs = 10e6;
// Prefill that takes more than this share of the time takes all of it.
constexpr double kDutyMax = 0.98;
// The model is followed this far beyond the most sequences that it was learned from.
constexpr double kBeyondSeen = 1.5;
constexpr int kBeyondSeenLeast = 16;

double to_double(Tokens tokens) { return static_cast<double>(tokens.count); }
double to_us(Duration duration) { return static_cast<double>(duration.as_us()); }

double context_each(const EngineMoment& moment) {
  const int sequences = moment.decoding + moment.prompts_left;
  return sequences > 0 ? to_double(moment.kv) / sequences : kContextGuess;
}

Tokens uncached_of(const NodeView& node, const Ask& ask) {
  return {std::max<int64_t>(1, ask.prompt_tokens.count - node.cached.count)};
}

// One number in (0, 1) for a request.
double unit_of(uint64_t id) { return (static_cast<double>(splitmix(id) >> 11) + 0.5) * 0x1p-53; }

// By what a forecast for this request is to be wrong: log-normal (Box and Muller, 1958).
double wrong_by(const Ask& ask, double noise) {
  if (noise <= 0) return 1;
  const double u = unit_of(ask.id + kGoldenGamma);
  const double v = unit_of(ask.id * 3 + 0xD1B54A32D192ED03ull);
  return std::exp(noise * std::sqrt(-2 * std::log(u)) * std::cos(2 * 3.14159265358979 * v));
}

double tpot_us(const StepModel& step, double sequences, double kv, double duty) {
  const double decode = step.decode_us(sequences, kv);
  const double full = step.full_us(sequences, kv);
  return duty >= kDutyMax ? full : std::min(full, decode / (1 - duty));
}

}  // namespace

int line_of_engine(const NodeView& node, double duty, Duration promised, Bound& bound) {
  const StepModel& step = node.step;
  int line = sequences_within(step, node.moment, duty, promised);
  bound = Bound::tpot;
  const int seen =
      static_cast<int>(std::max(step.sequences_max, node.untried_concurrency) * kBeyondSeen);
  const int trusted = std::max(seen, step.sequences_max + kBeyondSeenLeast);
  if (trusted < line) {
    line = trusted;
    bound = Bound::untried;
  }
  if (node.slots > 0 && node.slots < line) {
    line = node.slots;
    bound = Bound::slots;
  }
  if (node.health == Health::slow_start) line = static_cast<int>(line * node.share);
  return std::max(1, line);
}

Duration first_token_after(const StepModel& step, const EngineMoment& moment, Tokens uncached,
                           Tokens held) {
  const double tokens = to_double(moment.prefill_left) + to_double(uncached) + to_double(held);
  const double chunk = static_cast<double>(step.chunk_tokens);
  const double steps = std::ceil(tokens / chunk);
  const double own = std::min(steps, std::ceil(to_double(uncached) / chunk));
  // Those before it decode while it is computed; while they are computed, half of them on average.
  const double kv = to_double(moment.kv) + to_double(uncached);
  const double each_own = step.decode_us(moment.decoding + moment.prompts_left, kv);
  const double each_before = step.decode_us(moment.decoding + moment.prompts_left / 2.0, kv);
  const double us =
      (steps - own) * each_before + own * each_own + step.prefill_us_per_token * tokens;
  return moment.step_left + Duration::us(static_cast<int64_t>(us));
}

int sequences_within(const StepModel& step, const EngineMoment& moment, double duty,
                     Duration tpot_max) {
  const double each = step.per_seq_us + step.per_kv_token_us * context_each(moment);
  if (each <= 0) return INT_MAX;
  const double full = to_us(tpot_max) - step.full_us(0, 0);
  const double shared = to_us(tpot_max) * (1 - std::min(duty, kDutyMax)) - step.base_us;
  const double sequences = std::max(full, shared) / each;
  return sequences >= static_cast<double>(INT_MAX) ? INT_MAX
                                                   : static_cast<int>(std::max(0.0, sequences));
}

Forecast engine_forecast(const NodeView& node, const Ask& ask, const Policy& policy, Instant now,
                         Tokens held) {
  const StepModel& step = node.step;
  EngineMoment moment = node.moment;
  const int others = now <= node.leased_until ? node.others : 0;
  moment.kv.count += static_cast<int64_t>(others * context_each(moment));
  moment.decoding += others;

  Forecast f;
  const Tokens uncached = uncached_of(node, ask);
  const double wrong = wrong_by(ask, policy.forecast_noise);
  const Duration ahead =
      (node.ttft_base + first_token_after(step, moment, uncached, held)).scaled(wrong);
  const Duration waited = waited_of(ask, now);
  f.ttft = waited + ahead;
  f.ttft_high = waited + ahead.scaled(1 + node.ttft_spread);

  const double duty =
      moment.duty + step.prefill_us_per_token * to_double(uncached) / kDutyHorizonUs;
  const double sequences = moment.decoding + moment.prompts_left + 1;
  const double kv = to_double(moment.kv) + to_double(ask.prompt_tokens);
  f.tpot = Duration::us(static_cast<int64_t>(tpot_us(step, sequences, kv, duty) * wrong));
  f.concurrency = node.in_flight + others + 1;

  Duration promised = ask.level.tpot_max;
  if (!node.strictest_tpot.is_zero()) promised = std::min(promised, node.strictest_tpot);
  f.line = line_of_engine(node, duty, promised.scaled(policy.margin / wrong), f.bound);
  f.crowd_level = static_cast<double>(f.concurrency) / f.line;
  f.level = f.crowd_level;
  const double ttft_level = f.ttft_high / ask.level.ttft_max.scaled(policy.margin);
  if (ttft_level > f.level) {
    f.level = ttft_level;
    f.bound = Bound::ttft;
  }
  const double chunk_us = step.prefill_us_per_token * static_cast<double>(step.chunk_tokens);
  const double spare = to_us(moment.spare);
  f.makes_late = spare < 0 && spare > -chunk_us;
  f.queues = step.prefill_us_per_token * to_double(moment.prefill_left) >
             policy.queue_share * to_us(ask.level.ttft_max);
  return f;
}

}  // namespace sluice::valve
