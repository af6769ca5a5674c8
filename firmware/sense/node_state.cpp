#include "firmware/sense/node_state.h"

#include <algorithm>
#include <cmath>

#include "firmware/base/check.h"
#include "firmware/valve/engine_forecast.h"

namespace sluice::sense {

namespace {

// How much one finished request moves the mean time that requests stay.
constexpr double kResidencePart = 0.1;
// An answer that came in one piece tells a rate only if it was this long.
constexpr int64_t kWholeAnswerTokensMin = 8;

// What is late is told by the answers of this time, if there were as many.
constexpr Duration kLateWindow = Duration::seconds(120);
constexpr size_t kLateMin = 20;

// No engine runs more at once; and a longer gap between tokens is none.
constexpr double kRequestsMax = 1e6;
constexpr double kGapSecondsMax = 3600;
// Over which the share of time spent on prefill is told.
constexpr Duration kDutyMemory = Duration::seconds(10);
// A first token is overdue after this many times its forecast, and what is allowed for besides.
constexpr double kOverdue = 1.1;
constexpr double kOverdueSteps = 2;  // full ones: prompts that came later may share its last

// What an engine claims, as a count: never negative, never absurd, zero for what is no number.
int to_count(double value) {
  return value > 0 ? static_cast<int>(std::lround(std::min(value, kRequestsMax))) : 0;
}

// A counter that fell: the engine began anew, and has forgotten what it had computed.
bool counts_less(const EngineReading& before, const EngineReading& after) {
  return (before.prompt_tokens && after.prompt_tokens &&
          *after.prompt_tokens < *before.prompt_tokens) ||
         (before.generation_tokens && after.generation_tokens &&
          *after.generation_tokens < *before.generation_tokens);
}

// Whether it is one of those by which the queue is known.
bool tells_queue(const FieldReport& field, bool apart) {
  if (!apart) return field.field == to_text(EngineField::in_flight);
  return field.field == to_text(EngineField::running) ||
         field.field == to_text(EngineField::waiting);
}

// All that an engine counts of its work, in one number that moves with any of it.
std::optional<double> counted(const EngineReading& reading) {
  std::optional<double> sum;
  const auto add = [&sum](double value) { sum = sum.value_or(0) + value; };
  if (reading.prompt_tokens) add(*reading.prompt_tokens);
  if (reading.generation_tokens) add(*reading.generation_tokens);
  for (const auto* histogram : {&reading.ttft, &reading.tpot, &reading.queue_time}) {
    if (*histogram) add((*histogram)->count);
  }
  if (sum && reading.kv_usage) add(*reading.kv_usage);
  return sum;
}

}  // namespace

NodeState::NodeState(valve::NodeId id, NodeProfile profile, const SenseTimes& times)
    : id_(id), profile_(std::move(profile)) {
  set_times(times);
}

void NodeState::set_profile(NodeProfile profile) {
  if (profile.engine != profile_.engine) {
    history_.clear();
    told_.forget();
  }
  profile_ = std::move(profile);
}

void NodeState::set_times(const SenseTimes& times) {
  times_ = times;
  breaker_.set_times(times.breaker);
  curve_.set_memory(times.memory);
  fit_.set_memory(times.memory);
  ttfts_.set_length(times.window);
  tpots_.set_length(times.window);
  lates_.set_length(kLateWindow);
}

bool NodeState::is_fresh(Instant now) const { return ever_read_ && now - read_at_ <= times_.lease; }

int NodeState::concurrency(Instant now) const {
  return in_flight() + (is_fresh(now) ? to_count(queue_.others(now)) : 0);
}

bool NodeState::is_minute_full(Instant now) const {
  const auto limit = static_cast<size_t>(profile_.requests_per_minute);
  return limit > 0 && sent_lately_.size() >= limit &&
         now - sent_lately_[sent_lately_.size() - limit] < Duration::seconds(60);
}

std::string NodeState::why(Instant now) const {
  if (!profile_.enabled) return "disabled in the settings";
  if (!profile_.trouble.empty()) return profile_.trouble;
  if (!link_.carries()) return link_.why();
  if (is_minute_full(now)) return "its limit of requests per minute is used up";
  if (reading_.asleep && is_fresh(now)) return "the engine sleeps";
  return breaker_.why();
}

void NodeState::reserve(const Flight& flight, Instant now) {
  prefill_backlog_ = prefill_backlog_ + flight.prompt_tokens;
  Open open;
  open.flight = flight;
  open.sent = now;
  open.ahead = prefill_backlog_;
  follow_sent(open, now);
  const bool added = flights_.emplace(flight.id, open).second;
  ENSURE(added);
  queue_.sent(now);
  if (profile_.requests_per_minute > 0) {
    sent_lately_.push_back(now);
    const auto keep = static_cast<size_t>(profile_.requests_per_minute);
    while (sent_lately_.size() > keep) sent_lately_.pop_front();
  }
  ++promises_[flight.tpot_max];
}

void NodeState::follow_sent(Open& open, Instant now) {
  if (!is_followed()) return;
  const valve::StepModel& model = steps_.model();
  const Tokens prompt = open.flight.prompt_tokens;
  const double cached = static_cast<double>(open.flight.matched.count) * cache_trust();
  open.uncached.count = std::max<int64_t>(1, prompt.count - std::llround(cached));
  if (model.is_known()) {
    open.forecast =
        valve::first_token_after(model, twin_.moment(model, now), open.uncached, Tokens());
  }
  twin_.sent(open.flight.id, prompt, open.uncached, open.flight.due, model, now);
}

void NodeState::follow_first(const Open& open, Instant now) {
  if (!is_followed()) return;
  StepSeen step;
  note_step(twin_.began(open.flight.id, steps_.model(), now, step), step);
  steps_.prefilled(open.uncached, twin_.prompts() == 0);
  if (!open.forecast.is_zero()) {
    const valve::StepModel& model = steps_.model();
    const double chunk_us = model.prefill_us_per_token * static_cast<double>(model.chunk_tokens);
    const Duration promised = open.flight.due - open.sent;
    const bool had_time = open.forecast + Duration::us(static_cast<int64_t>(chunk_us)) < promised;
    forecast_error_.add(open.forecast, now - open.sent, promised, twin_.prompts() > 0 && had_time);
  }
  const double taken =
      steps_.model().prefill_us_per_token * static_cast<double>(open.uncached.count);
  prefill_us_ = duty(now) * static_cast<double>(kDutyMemory.as_us()) + taken;
  prefill_at_ = now;
}

void NodeState::note_step(bool told, const StepSeen& step) {
  if (told) {
    steps_.step(step);
  } else if (!step.length.is_zero()) {
    steps_.interrupted();  // its beginning was not seen
  }
}

double NodeState::duty(Instant now) const {
  return prefill_us_ * std::exp(-((now - prefill_at_) / kDutyMemory)) /
         static_cast<double>(kDutyMemory.as_us());
}

bool NodeState::is_in_sight(uint64_t id, Instant now) const {
  const auto found = flights_.find(id);
  ENSURE(found != flights_.end());
  const Open& open = found->second;
  if (open.started || !is_followed() || !steps_.model().is_known()) return true;
  // What is overdue is late for a reason that is not known: nobody can say when it will come.
  const valve::StepModel& model = steps_.model();
  const valve::EngineMoment moment = twin_.moment(model, now);
  const double step_us = model.full_us(moment.decoding, static_cast<double>(moment.kv.count));
  const Duration patience = open.forecast.scaled(kOverdue + forecast_error_.rescue_allowance()) +
                            forecast_error_.bias() +
                            Duration::us(static_cast<int64_t>(kOverdueSteps * step_us));
  if (!open.forecast.is_zero() && now - open.sent > patience) return false;
  const Instant expected = twin_.expected_first(id, model, now) + forecast_error_.bias();
  // Judged by the whole wait: who was wrong about its length was so from the beginning.
  const Duration whole = (expected - open.sent).scaled(1 + forecast_error_.rescue_allowance());
  return open.sent + whole <= open.flight.due;
}

void NodeState::leave_backlog(Open& open) {
  if (!open.in_backlog) return;
  open.in_backlog = false;
  prefill_backlog_ = prefill_backlog_ - open.flight.prompt_tokens;
}

// The first token of an answer that comes in one piece is never seen: its prompt leaves the
// backlog when it should have been prefilled.
void NodeState::assume_prefilled(Instant now) {
  for (auto& [id, open] : flights_) {
    if (open.flight.streamed || !open.in_backlog) continue;
    const double prefill_us = static_cast<double>(open.ahead.count) * us_per_token_;
    const Duration expected = ttft_base_ + Duration::us(static_cast<int64_t>(prefill_us));
    if (now - open.sent > expected) leave_backlog(open);
  }
}

void NodeState::first_token(uint64_t id, Instant now) {
  const auto found = flights_.find(id);
  ENSURE(found != flights_.end());
  Open& open = found->second;
  if (open.started) return;
  open.started = true;
  open.first = now;
  open.last = now;
  open.concurrency_then = concurrency(now);
  open.tokens = 1;
  leave_backlog(open);
  queue_.began(open.sent, now);
  follow_first(open, now);
  fit_.learn(open.ahead, now - open.sent, now);
  ttfts_.add(now - open.sent, now);
  lates_.add(now - open.sent, now);
  link_.first_token();
}

void NodeState::tokens(uint64_t id, int count, Instant now) {
  const auto found = flights_.find(id);
  ENSURE(found != flights_.end());
  Open& open = found->second;
  if (!open.started || count < 1) return;
  StepSeen step;
  if (is_followed()) note_step(twin_.token(count, open.last, steps_.model(), now, step), step);
  const int at = concurrency(now);
  curve_.learn((open.concurrency_then + at + 1) / 2, (now - open.last) / count, count, now);
  open.last = now;
  open.concurrency_then = at;
  open.tokens += count;
  queue_.tokens(count);
}

void NodeState::end(uint64_t id, const FlightResult& result, Instant now) {
  const auto found = flights_.find(id);
  ENSURE(found != flights_.end());
  Open& open = found->second;
  const Duration stayed = now - open.sent;
  if (result.end == FlightEnd::served) {
    residence_ =
        residence_.is_zero() ? stayed : residence_ + (stayed - residence_).scaled(kResidencePart);
    if (open.tokens > 1) {
      tpots_.add((open.last - open.first) / (open.tokens - 1), now);
    } else if (!result.streamed && result.output.count >= kWholeAnswerTokensMin) {
      const Duration decode = std::max(Duration(), stayed - ttft_base_);
      const Duration tpot = decode / result.output.count;
      const double weight = static_cast<double>(result.output.count);
      curve_.learn(concurrency(now), tpot, weight, now);
      tpots_.add(tpot, now);
    }
  }
  if (result.cached >= 0 && open.flight.prompt_tokens.count > 0) {
    trust_.learn(static_cast<double>(open.flight.matched.count) /
                     static_cast<double>(open.flight.prompt_tokens.count),
                 result.cached);
  }
  // What the path did is no fault of the node.
  const bool path_broke = result.end == FlightEnd::failed && link_.broke_since(open.sent);
  switch (path_broke ? FlightEnd::cancelled : result.end) {
    case FlightEnd::served:
    case FlightEnd::client_fault:
      breaker_.succeed(now);
      break;
    case FlightEnd::failed:
      breaker_.fail(now, result.why);
      break;
    case FlightEnd::asked_to_wait:
      breaker_.ask_to_wait(now, result.retry_after, result.why);
      break;
    case FlightEnd::outrun:
      if (!open.started) lates_.add(stayed, now);
      break;
    case FlightEnd::cancelled:
      break;
  }
  if (result.end != FlightEnd::cancelled && result.end != FlightEnd::outrun && !path_broke) {
    const bool well = result.end == FlightEnd::served || result.end == FlightEnd::client_fault;
    failures_.add(!well, now);
  }
  if (is_followed()) {
    twin_.ended(id, open.started, open.flight.prompt_tokens + Tokens{open.tokens - 1}, now);
    if (!open.started && open.flight.streamed) steps_.interrupted();
  }
  leave_backlog(open);
  if (!open.started && result.output.count > 0)
    queue_.tokens(static_cast<int>(std::min<int64_t>(result.output.count, 1'000'000)));
  queue_.ended(open.started ? std::optional<Instant>(open.first) : std::nullopt,
               result.end == FlightEnd::served, now);
  const auto promise = promises_.find(open.flight.tpot_max);
  if (--promise->second == 0) promises_.erase(promise);
  flights_.erase(found);
  ++ended_count_;
}

void NodeState::learn_from_engine(const EngineReading& before, const EngineReading& after,
                                  Instant now) {
  // Tokens that we saw one by one have taught the curve already; the engine's own histogram is for
  // the others: whole answers, and requests that came past us.
  for (const auto& [id, open] : flights_) {
    if (open.started) return;
  }
  if (!before.tpot || !after.tpot || !before.running || !after.running) return;
  const HistogramDelta change = delta(*before.tpot, *after.tpot);
  if (change.kind != HistogramDelta::Kind::window || change.window.count < 1) return;
  const double running = (*before.running + *after.running) / 2;
  const double gap = change.window.sum / change.window.count;
  if (!(gap >= 0 && gap <= kGapSecondsMax)) return;
  curve_.learn(to_count(running), Duration::from_seconds(gap), change.window.count, now);
}

void NodeState::read(const EngineReading& reading, Instant now) {
  if (counts_less(reading_, reading)) began_anew_ = true;
  if (ever_read_) learn_from_engine(reading_, reading, now);
  note_queue(reading_, reading, now);
  history_.add(reading, now);
  told_.look(reading.fields, now);
  reading_ = reading;
  read_at_ = now;
  ever_read_ = true;
  if (reading.limit && *reading.limit >= 1) slots(to_count(*reading.limit));
}

void NodeState::note_queue(const EngineReading& before, const EngineReading& after, Instant now) {
  if (!after.running && !after.waiting && !after.in_flight) return;
  QueuePage page;
  page.asked = now - after.took;
  page.made = page.heard = now;
  const bool apart = after.running || after.waiting;
  for (const FieldReport& field : after.fields) {
    if (!field.at || *field.at >= page.made || !tells_queue(field, apart)) continue;
    page.asked = page.made = *field.at;  // of a document that came before the page
  }
  page.running = to_count((apart ? after.running : after.in_flight).value_or(0));
  page.waiting = to_count(after.waiting.value_or(0));
  page.counted = counted(after);
  page.generated = after.generation_tokens;
  page.restarted = counts_less(before, after);
  queue_.set_limit(slots_known());
  queue_.read(page);
}

void NodeState::slots(int slots) {
  engine_slots_ = slots;
  queue_.set_limit(slots_known());
}

int NodeState::slots_known() const {
  const int declared = profile_.concurrency_limit;
  return engine_slots_ > 0 && (declared == 0 || engine_slots_ < declared) ? engine_slots_
                                                                          : declared;
}

EngineLoad NodeState::load(Instant now) const {
  EngineLoad load = history_.load(profile_.stale_after, now, profile_.slow_stale_after);
  if (profile_.concurrency_limit > 0) {
    load.limit.value = profile_.concurrency_limit;
    load.limit.confidence = Confidence::told;
    load.limit.source = "settings";
    load.limit.at = now;
  }
  return load;
}

void NodeState::link(const std::optional<LinkTold>& told, Instant now) {
  if (!told) return link_.clear();
  link_.tell(*told, now);
}

void NodeState::health(bool alive, std::string_view why, Instant now) {
  if (!alive && !link_.carries()) return;        // nothing was heard of the node itself
  if (alive && looks_dead_) began_anew_ = true;  // perhaps; what is not cached costs time only
  looks_dead_ = !alive;
  if (alive) {
    breaker_.answer_probe(now);
  } else {
    breaker_.fail(now, std::string(why));
  }
}

void NodeState::learn(Instant now) {
  points_ = curve_.points(now);
  const bool tells = times_.late_quantile > 0 && lates_.count(now) >= kLateMin;
  ttft_late_ = tells ? lates_.quantile(times_.late_quantile, now).value_or(Duration()) : Duration();
  us_per_token_ = fit_.us_per_token();
  ttft_base_ = fit_.base(flights_.empty(), now);
  steps_.refresh();
  forecast_error_.refresh();
  assume_prefilled(now);
}

valve::NodeView NodeState::view(Instant now) const {
  valve::NodeView view;
  view.id = id_;
  view.name = profile_.name;
  view.place = profile_.place;
  const bool can_be_used = profile_.enabled && profile_.trouble.empty();
  view.health = can_be_used ? breaker_.health(now) : valve::Health::down;
  // No request is spent on a trial that the probe has just lost.
  if (view.health == valve::Health::probing && looks_dead_) view.health = valve::Health::down;
  if (is_minute_full(now) || !link_.carries()) view.health = valve::Health::down;
  if (reading_.asleep && is_fresh(now)) view.health = valve::Health::down;
  view.share = breaker_.share(now);
  view.leased_until = ever_read_ ? read_at_ + times_.lease : Instant();
  view.in_flight = in_flight();
  const QueueBelief queue = queue_.at(now);
  view.others = to_count(queue.others);
  // A burst waits for the next step, no more: only a queue that lasts is one.
  view.waiting = queue.lasting > 0 ? to_count(std::max(queue.lasting, queue.waiting)) : 0;
  view.slots = slots_known();
  view.untried_concurrency = profile_.untried_concurrency;
  view.kv_usage = reading_.kv_usage.value_or(-1);
  view.prefill_backlog = prefill_backlog_;
  view.ttft_base = ttft_base_;
  view.prefill_us_per_token = us_per_token_;
  view.residence = residence_;
  view.tpot = points_;
  if (!promises_.empty()) view.strictest_tpot = promises_.begin()->first;
  view.price_in_nano = profile_.price_in_nano;
  view.price_out_nano = profile_.price_out_nano;
  view.carbon_ug_per_token = profile_.carbon_ug_per_token;
  view.price_cached_nano = profile_.price_cached_nano;
  view.context_max = profile_.context_max.count > 0 ? profile_.context_max : listed_context_;
  view.offers = profile_.offers;
  view.failure_share = failures_.share(now);
  view.weight = profile_.weight;
  if (is_followed() && steps_.model().is_known()) {
    view.step = steps_.model();
    view.moment = twin_.moment(view.step, now);
    view.moment.duty = std::min(1.0, duty(now));
    view.ttft_base = forecast_error_.bias();
    view.ttft_spread = forecast_error_.allowance();
  }
  view.ttft_base = view.ttft_base + link_.extra();
  view.prefill_us_per_token = std::max(view.prefill_us_per_token, link_.us_per_token());
  view.ttft_late = ttft_late_;
  return view;
}

std::optional<std::string> NodeState::upstream_name(const std::string& model) const {
  for (const ModelName& entry : profile_.models) {
    if (entry.name == model) return entry.upstream;
  }
  if (!profile_.models.empty()) return std::nullopt;
  const bool listed =
      std::find(listed_models_.begin(), listed_models_.end(), model) != listed_models_.end();
  return listed ? std::optional<std::string>(model) : std::nullopt;
}

std::vector<std::string> NodeState::served_models() const {
  if (profile_.models.empty()) return listed_models_;
  std::vector<std::string> names;
  for (const ModelName& entry : profile_.models) names.push_back(entry.name);
  return names;
}

std::optional<Duration> NodeState::reading_age(Instant now) const {
  return ever_read_ ? std::optional<Duration>(now - read_at_) : std::nullopt;
}

}  // namespace sluice::sense
