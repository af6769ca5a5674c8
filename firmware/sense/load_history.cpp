#include "firmware/sense/load_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::sense {

namespace {

using FigureOf = Figure EngineLoad::*;
constexpr std::pair<EngineField, FigureOf> kFigures[] = {
    {EngineField::running, &EngineLoad::running},
    {EngineField::waiting, &EngineLoad::waiting},
    {EngineField::in_flight, &EngineLoad::in_flight},
    {EngineField::limit, &EngineLoad::limit},
    {EngineField::kv_usage, &EngineLoad::kv_usage},
    {EngineField::kv_tokens, &EngineLoad::kv_tokens},
    {EngineField::prefix_hit_rate, &EngineLoad::prefix_hit_rate},
    {EngineField::prompt_tokens, &EngineLoad::prompt_tokens},
    {EngineField::generation_tokens, &EngineLoad::generation_tokens},
    {EngineField::preemptions, &EngineLoad::preemptions},
    {EngineField::loaded_models, &EngineLoad::loaded_models},
    {EngineField::asleep, &EngineLoad::asleep},
    {EngineField::loading, &EngineLoad::loading},
    {EngineField::ttft_last, &EngineLoad::ttft_last_s},
    {EngineField::tpot_last, &EngineLoad::tpot_last_s},
};
constexpr int kCrowdLooks = 2;  // one alone is a burst that waits for the next step

Figure derived(double value, std::string source, Instant at) {
  Figure figure;
  figure.value = value;
  figure.confidence = Confidence::derived;
  figure.source = std::move(source);
  figure.at = at;
  return figure;
}

Figure untold(std::string why) {
  Figure figure;
  figure.source = std::move(why);
  return figure;
}

bool goes_on(const std::optional<Histogram>& before, const std::optional<Histogram>& after) {
  return !before || !after || delta(*before, *after).kind == HistogramDelta::Kind::window;
}

bool rises(const std::optional<double>& before, const std::optional<double>& after) {
  return !before || !after || *after >= *before;
}

}  // namespace

bool LoadHistory::follows(const Look& before, const Look& after) const {
  return goes_on(before.ttft, after.ttft) && goes_on(before.tpot, after.tpot) &&
         goes_on(before.queue_time, after.queue_time) &&
         rises(before.prefix_queries, after.prefix_queries) &&
         rises(before.prefix_hits, after.prefix_hits);
}

void LoadHistory::add(const EngineReading& reading, Instant at) {
  Look look{at,
            reading.ttft,
            reading.tpot,
            reading.queue_time,
            reading.prefix_queries,
            reading.prefix_hits};
  const bool restarted = ever_ && (!rises(last_.generation_tokens, reading.generation_tokens) ||
                                   !rises(last_.prompt_tokens, reading.prompt_tokens));
  if (restarted) crowd_ = crowd_looks_ = 0;  // it may have been given another limit
  if (restarted || (!looks_.empty() && !follows(looks_.back(), look))) looks_.clear();
  // The newest look gives way to the next, but for one in every kLookGap.
  const bool stays = looks_.size() < 2 || looks_.back().at - kept_at_ >= kLookGap;
  if (looks_.empty() || stays) {
    kept_at_ = looks_.empty() ? at : looks_.back().at;
    looks_.push_back(std::move(look));
  } else {
    looks_.back() = std::move(look);
  }
  // The oldest goes when the one after it is old enough to begin the widest window.
  while (looks_.size() > kLooksMax ||
         (looks_.size() > 2 && at - looks_[1].at >= kLatencyWindowMax)) {
    looks_.pop_front();
  }
  learn_limit(reading);
  last_ = reading;
  ever_ = true;
}

// Source: requests that wait while others run say that no more can run.
void LoadHistory::learn_limit(const EngineReading& reading) {
  const bool is_crowd = reading.running.value_or(0) >= 1 && reading.waiting.value_or(0) >= 1;
  crowd_looks_ = is_crowd ? crowd_looks_ + 1 : 0;
  if (crowd_looks_ >= kCrowdLooks) crowd_ = std::max(crowd_, *reading.running);
}

const FieldReport* LoadHistory::report(EngineField field) const {
  const auto found =
      std::find_if(last_.fields.begin(), last_.fields.end(),
                   [field](const FieldReport& told) { return told.field == to_text(field); });
  return found == last_.fields.end() ? nullptr : &*found;
}

LatencyLoad LoadHistory::latency(HistogramOf part, EngineField field) const {
  LatencyLoad load;
  const FieldReport* told = report(field);
  if (told == nullptr || looks_.empty() || !(looks_.back().*part)) {
    const Figure why = told == nullptr ? Figure() : figure_of(*told, {});
    load.p50_s = load.p95_s = load.mean_s = untold(why.source);
    return load;
  }
  const Look& newest = looks_.back();
  HistogramDelta window;
  Duration span;
  for (size_t i = looks_.size() - 1; i-- > 0;) {
    if (!(looks_[i].*part)) break;
    window = delta(*(looks_[i].*part), *(newest.*part));
    span = newest.at - looks_[i].at;
    if (span >= kLatencyWindow && window.window.count >= kWindowCompletions) break;
  }
  const std::string source = fmt::format("{} over {:.1f} s", told->source, span.as_seconds());
  const auto figure = [&](const std::optional<double>& value) {
    return value ? derived(*value, source, newest.at) : untold("nothing ended of late");
  };
  load.mean_s = figure(mean(window.window));
  const bool is_enough = window.window.count >= kWindowCompletions;
  const std::string few = fmt::format("only {:.0f} ended of late", window.window.count);
  load.p50_s = is_enough ? figure(quantile(window.window, 0.5)) : untold(few);
  load.p95_s = is_enough ? figure(quantile(window.window, 0.95)) : untold(few);
  return load;
}

void LoadHistory::put_prefix_hits(EngineLoad& load) const {
  if (load.prefix_hit_rate.value || looks_.size() < 2) return;
  const Look& newest = looks_.back();
  if (!newest.prefix_hits || !newest.prefix_queries) return;
  for (size_t i = looks_.size() - 1; i-- > 0;) {
    const Look& before = looks_[i];
    if (!before.prefix_hits || !before.prefix_queries) return;
    const double queries = *newest.prefix_queries - *before.prefix_queries;
    const double hits = *newest.prefix_hits - *before.prefix_hits;
    if (queries <= 0 || (newest.at - before.at < kLatencyWindow && i > 0)) continue;
    const std::string source =
        fmt::format("{} over {:.1f} s", report(EngineField::prefix_hits)->source,
                    (newest.at - before.at).as_seconds());
    load.prefix_hit_rate = derived(std::min(hits / queries, 1.0), source, newest.at);
    return;
  }
}

EngineLoad LoadHistory::load(Duration stale_after, Instant now, Duration slow_stale_after) const {
  EngineLoad load;
  if (!ever_) return load;
  const Instant at = looks_.back().at;
  for (const auto& [field, figure] : kFigures) {
    if (const FieldReport* told = report(field)) load.*figure = figure_of(*told, at);
  }
  load.ttft = latency(&Look::ttft, EngineField::ttft);
  load.tpot = latency(&Look::tpot, EngineField::tpot);
  load.queue_time = latency(&Look::queue_time, EngineField::queue_time);
  put_prefix_hits(load);
  if (!load.limit.value && crowd_ > 0) {
    load.limit = derived(crowd_, "most seen running while others waited", at);
    load.limit.confidence = Confidence::learnt;
  }
  const Duration slow = std::max(stale_after, slow_stale_after);
  for (const auto& [field, figure] : kFigures) {
    const FieldReport* told = report(field);
    const bool is_slow = told != nullptr && told->is_slow;
    mark_stale(load.*figure, stale_after.is_zero() || !is_slow ? stale_after : slow, now);
  }
  for (LatencyLoad* latency : {&load.ttft, &load.tpot, &load.queue_time}) {
    for (Figure* figure : {&latency->p50_s, &latency->p95_s, &latency->mean_s}) {
      mark_stale(*figure, stale_after, now);
    }
  }
  return load;
}

}  // namespace sluice::sense
