#include "firmware/sense/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/sense/prober_answers.h"

namespace sluice::sense {

namespace {

// The n-th failure in a row waits gap * 2^(n-1), at most `most` (or the gap, if that is longer).
Duration doubled(Duration gap, int failures, Duration most) {
  for (int i = 1; i < failures && gap < most; ++i) gap = std::min(gap * 2, most);
  return gap;
}

// The pace may be jittered down to 0.9 of the gap: a timeout of 0.8 is over before the next one.
ProbeTimes sane(ProbeTimes times) {
  times.scrape = std::max(times.scrape, kScrapeGapMin);
  times.probe = std::max(times.probe, kScrapeGapMin);
  const Duration most = times.scrape.scaled(0.8);
  times.scrape_timeout =
      times.scrape_timeout > Duration() ? std::min(times.scrape_timeout, most) : most;
  return times;
}

bool says_no_such_page(int status) {
  return status == 401 || status == 403 || status == 404 || status == 405 || status == 501;
}

}  // namespace

NodeProbe::NodeProbe(ProbePorts ports, EngineFacts facts, ports::HttpOrigin origin,
                     ports::HttpFields credentials, ProbeTimes times, ProbeSink& sink)
    : ports_(ports),
      facts_(std::move(facts)),
      origin_(std::move(origin)),
      credentials_(std::move(credentials)),
      times_(sane(times)),
      sink_(sink),
      timer_(ports_.timers.make([this] { on_due(); })) {
  schedule(Question::health).path = facts_.health_path.value_or("");
  schedule(Question::models).path = facts_.models_path.value_or("");
  schedule(Question::slots).path = facts_.slots ? facts_.slots->path : "";
  schedule(Question::metrics).path = facts_.metrics_path.value_or("");
  liveness_ = facts_.health_path   ? Question::health
              : facts_.models_path ? Question::models
                                   : Question::metrics;
}

void NodeProbe::start() {
  ENSURE(state_ == State::stopped);
  alive_ = down_ = late_ = asleep_ = idle_ = false;
  failures_ = metrics_failures_ = 0;
  for (Schedule& entry : schedules_) entry.due = ports_.clock.now();
  move_to(State::waiting);
  arm();
}

void NodeProbe::stop() {
  if (state_ == State::stopped) return;
  timer_->stop();
  call_.reset();
  move_to(State::stopped);
}

void NodeProbe::note_use() {
  if (!idle_ && !asleep_) return;
  idle_ = asleep_ = false;
  Schedule& metrics = schedule(Question::metrics);
  metrics.due = std::min(metrics.due, ports_.clock.now() + times_.scrape);
  if (state_ == State::waiting) arm();
}

void NodeProbe::move_to(State next) {
  const bool allowed = next == State::stopped ||
                       (state_ == State::stopped && next == State::waiting) ||
                       (state_ == State::waiting && next == State::asking) ||
                       (state_ == State::asking && next == State::waiting);
  ENSURE(allowed);
  state_ = next;
}

bool NodeProbe::may_ask(Question question) const {
  if (schedule(question).path.empty()) return false;
  if (down_) return question == liveness_;
  return question != Question::metrics || !asleep_;
}

// The earliest; of several at once, the first of the enumeration.
std::optional<NodeProbe::Question> NodeProbe::next_question() const {
  std::optional<Question> next;
  for (const Question question :
       {Question::health, Question::models, Question::slots, Question::metrics}) {
    if (!may_ask(question)) continue;
    if (!next || schedule(question).due < schedule(*next).due) next = question;
  }
  return next;
}

void NodeProbe::arm() {
  ENSURE(state_ == State::waiting);
  const std::optional<Question> next = next_question();
  if (!next) return;
  timer_->start(std::max(Duration(), schedule(*next).due - ports_.clock.now()));
}

void NodeProbe::on_due() {
  const std::optional<Question> next = next_question();
  ENSURE(next.has_value());
  current_ = *next;
  asked_at_ = ports_.clock.now();
  answer_ = {};
  move_to(State::asking);
  call_ = ports_.http.call(spec_for(current_), *this);
}

ports::HttpCallSpec NodeProbe::spec_for(Question question) const {
  const bool is_metrics = question == Question::metrics;
  ports::HttpCallSpec spec;
  spec.origin = origin_;
  spec.method = "GET";
  spec.target = ports::path_at(origin_, schedule(question).path);
  spec.fields = credentials_;
  spec.fields.set("Accept", is_metrics ? "text/plain;version=0.0.4" : "application/json, */*");
  const Duration most =
      is_metrics ? times_.scrape_timeout : std::min(times_.probe, kProbeTimeoutMax);
  spec.timeouts = {.connect = most, .first_byte = most, .idle = most, .total = most};
  spec.body_max = is_metrics ? kExpositionBytesMax : kProbeBodyMax;
  return spec;
}

void NodeProbe::on_head(const ports::HttpResponseHead& head) {
  answer_.status = head.status;
  answer_.open_metrics =
      starts_with_ignoring_case(head.fields.get("Content-Type"), "application/openmetrics-text");
}

void NodeProbe::on_body(std::string_view bytes) {
  const Bytes most = current_ == Question::metrics ? kExpositionBytesMax : kProbeBodyMax;
  if (answer_.body.size() + bytes.size() > static_cast<size_t>(most.count)) {
    answer_.failure = "the answer is larger than is read";
    conclude();
    return;
  }
  answer_.body.append(bytes);
}

void NodeProbe::on_end() { conclude(); }

void NodeProbe::on_fail(const ports::HttpFailure& failure) {
  answer_.failure = failure.error.text.empty() ? "the connection failed" : failure.error.text;
  answer_.timed_out = failure.timed_out;
  conclude();
}

void NodeProbe::conclude() {
  call_.reset();
  move_to(State::waiting);
  const Answer answer = std::exchange(answer_, {});
  switch (current_) {
    case Question::health:
      take_health(answer);
      break;
    case Question::models:
      take_models(answer);
      break;
    case Question::slots:
      take_slots(answer);
      break;
    case Question::metrics:
      take_metrics(answer);
      break;
  }
  if (state_ == State::waiting) arm();
}

std::string NodeProbe::Answer::why() const {
  if (timed_out) return "no answer in time";
  if (!failure.empty()) return failure;
  return fmt::format("HTTP {} {}", status, ports::reason_phrase(status));
}

void NodeProbe::take_health(const Answer& answer) { take_liveness(answer.is_ok(), answer.why()); }

// A server without this page is alive all the same; so is one that says "too many requests".
void NodeProbe::take_models(const Answer& answer) {
  ask_after(Question::models, times_.probe);
  if (liveness_ == Question::models) {
    const int status = answer.failure.empty() ? answer.status : 0;
    const bool without_list = status == 404 || status == 405 || status == 501;
    take_liveness(answer.is_ok() || without_list || status == 429, answer.why());
  }
  if (state_ == State::stopped || !answer.failure.empty()) return;
  if (answer.status == 401 || answer.status == 403) return sink_.on_key_refused(answer.status);
  if (!answer.is_ok()) return;
  Result<ModelList> list = read_model_list(answer.body);
  if (list) sink_.on_models(std::move(list->names), list->max_model_len);
}

void NodeProbe::take_slots(const Answer& answer) {
  ask_after(Question::slots, times_.probe);
  if (!answer.is_ok()) {
    if (answer.failure.empty()) asleep_ = false;  // it no longer tells
    return;
  }
  const Result<SlotsAnswer> told = read_slots_answer(answer.body, *facts_.slots);
  if (!told) return;
  asleep_ = told->asleep;
  if (told->slots) sink_.on_slots(*told->slots);
  if (state_ == State::stopped || !asleep_) return;
  EngineReading reading;
  reading.asleep = true;
  sink_.on_reading(reading);
}

void NodeProbe::take_metrics(const Answer& answer) {
  if (!answer.is_ok()) return take_metrics_failure(answer);
  ExpositionLimits limits;
  limits.open_metrics = answer.open_metrics;
  limits.names = facts_.series_names;
  EngineReading reading = read_engine(parse_exposition(answer.body, limits), facts_);
  reading.took = ports_.clock.now() - asked_at_;
  metrics_failures_ = 0;
  late_ = false;
  idle_ = reading.running == 0.0 && reading.waiting.value_or(0) == 0.0;
  ask_after(Question::metrics, scrape_gap());
  if (liveness_ == Question::metrics) take_liveness(true, answer.why());
  if (state_ != State::stopped) sink_.on_reading(reading);
}

void NodeProbe::take_metrics_failure(const Answer& answer) {
  ++metrics_failures_;
  const Duration most = answer.timed_out ? kBusyScrapeMax : kProbeBackoffMax;
  ask_after(Question::metrics, doubled(times_.scrape, metrics_failures_, most));
  const bool is_answer = answer.failure.empty();
  if (answer.timed_out && facts_.metrics_block_while_decoding &&
      (alive_ || liveness_ == Question::metrics)) {
    return sink_.on_metrics_fault(MetricsFault::busy, answer.why());
  }
  if (liveness_ == Question::metrics) return take_liveness(false, answer.why());
  // Ask at once whether the node is alive: a late page of a live node means busy.
  if (!is_answer) schedule(liveness_).due = ports_.clock.now();
  late_ = answer.timed_out;
  if (late_) return;
  const bool is_absent = is_answer && says_no_such_page(answer.status);
  sink_.on_metrics_fault(is_absent ? MetricsFault::absent : MetricsFault::broken, answer.why());
}

void NodeProbe::take_liveness(bool alive, std::string_view why) {
  const bool came_back = alive && down_;
  const bool is_late = std::exchange(late_, false);
  failures_ = alive ? 0 : failures_ + 1;
  alive_ = alive;
  down_ = !alive;
  if (alive && liveness_ != Question::metrics) ask_after(liveness_, times_.probe);
  if (!alive) {
    const Duration gap = liveness_ == Question::metrics ? times_.scrape : times_.probe;
    ask_after(liveness_, doubled(gap, failures_, kProbeBackoffMax));
  }
  if (came_back) {
    asleep_ = idle_ = false;
    metrics_failures_ = 0;
    for (Schedule& entry : schedules_) {
      if (&entry != &schedule(liveness_)) entry.due = ports_.clock.now();
    }
  }
  sink_.on_health(alive, why);
  if (alive && is_late && state_ != State::stopped) {
    sink_.on_metrics_fault(MetricsFault::busy, "the metrics did not come in time");
  }
}

void NodeProbe::ask_after(Question question, Duration gap) {
  const double share = static_cast<double>(ports_.random.next() >> 11) * 0x1.0p-53;  // 0..1
  schedule(question).due =
      ports_.clock.now() + gap.scaled(1 - kProbeJitter + 2 * kProbeJitter * share);
}

Duration NodeProbe::scrape_gap() const {
  return idle_ ? std::max(times_.scrape, facts_.idle_scrape) : times_.scrape;
}

}  // namespace sluice::sense
