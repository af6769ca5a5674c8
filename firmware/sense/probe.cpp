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

NodeProbe::NodeProbe(ProbePorts ports, ProbePlace place, DriverFacts facts, ProbeTimes times,
                     ProbeSink& sink)
    : ports_(ports),
      facts_(std::move(facts)),
      shelf_(facts_),
      place_(std::move(place)),
      times_(sane(times)),
      sink_(sink),
      timer_(ports_.timers.make([this] { on_due(); })) {
  schedules_.push_back({Question::health, facts_.health_path.value_or(""), 0, {}});
  schedules_.push_back({Question::models, facts_.models_path.value_or(""), 0, {}});
  for (size_t i = 0; i < facts_.documents.size(); ++i) {
    const std::string& path = facts_.documents[i].path;
    if (path != facts_.health_path) schedules_.push_back({Question::document, path, i, {}});
  }
  if (!facts_.reads_page()) facts_.scrape.pages.clear();  // it would tell nothing that is wanted
  const std::vector<std::string>& pages = facts_.scrape.pages;
  schedules_.push_back({Question::metrics, pages.empty() ? "" : pages.front(), 0, {}});
  liveness_ = facts_.health_path   ? Question::health
              : facts_.models_path ? Question::models
                                   : Question::metrics;
}

void NodeProbe::start() {
  ENSURE(state_ == State::stopped);
  alive_ = down_ = late_ = asleep_ = idle_ = loading_ = false;
  pageless_ = facts_.scrape.pages.empty();
  shelf_.forget_all();
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
  for (Schedule& entry : schedules_) {
    if (is_quick(entry)) entry.due = std::min(entry.due, ports_.clock.now() + times_.scrape);
  }
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

bool NodeProbe::may_ask(const Schedule& entry) const {
  if (entry.path.empty()) return false;
  if (down_) return entry.question == liveness_;
  if (entry.question == Question::document) {
    return pageless_ || !facts_.documents[entry.document].without_page;
  }
  return entry.question != Question::metrics || !asleep_;
}

bool NodeProbe::is_quick(const Schedule& entry) const {
  return entry.question == Question::metrics ||
         (entry.question == Question::document && facts_.documents[entry.document].at_scrape_pace);
}

bool NodeProbe::is_elsewhere(const Schedule& entry) const {
  return entry.question == Question::metrics && place_.metrics_http != nullptr;
}

NodeProbe::Schedule& NodeProbe::schedule(Question question) {
  const auto found =
      std::find_if(schedules_.begin(), schedules_.end(),
                   [question](const Schedule& entry) { return entry.question == question; });
  ENSURE(found != schedules_.end());
  return *found;
}

// The earliest; of several at once, the first.
NodeProbe::Schedule* NodeProbe::next_due() {
  Schedule* next = nullptr;
  for (Schedule& entry : schedules_) {
    if (!may_ask(entry)) continue;
    if (next == nullptr || entry.due < next->due) next = &entry;
  }
  return next;
}

void NodeProbe::arm() {
  ENSURE(state_ == State::waiting);
  const Schedule* next = next_due();
  if (next == nullptr) return;
  timer_->start(std::max(Duration(), next->due - ports_.clock.now()));
}

void NodeProbe::on_due() {
  const Schedule* next = next_due();
  ENSURE(next != nullptr);
  current_ = static_cast<size_t>(next - schedules_.data());
  asked_at_ = ports_.clock.now();
  answer_ = {};
  sieve_.reset();
  if (schedules_[current_].question == Question::metrics) {
    sieve_.emplace(facts_.series_names, kExpositionBytesMax);
  }
  move_to(State::asking);
  ports::HttpClient& http = is_elsewhere(*next) ? *place_.metrics_http : place_.http;
  call_ = http.call(spec_for(*next), *this);
}

ports::HttpCallSpec NodeProbe::spec_for(const Schedule& entry) const {
  const bool is_metrics = entry.question == Question::metrics;
  ports::HttpCallSpec spec;
  spec.origin = is_elsewhere(entry) ? place_.metrics_origin : place_.origin;
  spec.method = "GET";
  spec.target = ports::path_at(spec.origin, entry.path);
  if (!is_elsewhere(entry)) spec.fields = place_.credentials;
  spec.fields.set("Accept", is_metrics ? "text/plain;version=0.0.4" : "application/json, */*");
  const Duration most =
      is_quick(entry) ? times_.scrape_timeout : std::min(times_.probe, kProbeTimeoutMax);
  spec.timeouts = {.connect = most, .first_byte = most, .idle = most, .total = most};
  spec.body_max = is_metrics ? kExpositionBytesMax : kProbeBodyMax;
  return spec;
}

void NodeProbe::on_head(const ports::HttpResponseHead& head) {
  answer_.status = head.status;
  answer_.open_metrics = says_open_metrics(head.fields.get("Content-Type"));
}

void NodeProbe::on_body(std::string_view bytes) {
  const auto body_max = static_cast<size_t>(kProbeBodyMax.count);
  const bool fits = sieve_ ? sieve_->feed(bytes) : answer_.body.size() + bytes.size() <= body_max;
  if (!fits) {
    answer_.failure = "the answer is larger than is read";
    conclude();
    return;
  }
  if (!sieve_) answer_.body.append(bytes);
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
  Schedule& entry = schedules_[current_];
  switch (entry.question) {
    case Question::health:
      take_health(answer);
      break;
    case Question::models:
      take_models(answer);
      break;
    case Question::document:
      take_document(entry, answer);
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

void NodeProbe::take_health(const Answer& answer) {
  loading_ = false;
  for (size_t i = 0; i < facts_.documents.size(); ++i) {
    if (facts_.documents[i].path != facts_.health_path) continue;
    put_document(i, answer);
    const EngineReading told = read_documents();
    loading_ = told.loading;
    if (loading_) sink_.on_documents(told);
    if (state_ == State::stopped) return;
  }
  take_liveness(answer.is_ok(), loading_ ? "its model is being loaded" : answer.why());
}

// A server without this page is alive all the same; so is one that says "too many requests".
void NodeProbe::take_models(const Answer& answer) {
  ask_after(schedule(Question::models), times_.probe);
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

void NodeProbe::take_document(Schedule& entry, const Answer& answer) {
  ask_after(entry, document_gap(entry.document));
  if (answer.failure.empty() && says_no_such_page(answer.status)) {
    ask_after(entry, kAbsentDocumentGap);
  }
  if (put_document(entry.document, answer)) tell_documents();
}

// Of an answer that did not come the last one stands, with its age.
bool NodeProbe::put_document(size_t document, const Answer& answer) {
  if (!answer.failure.empty()) return false;
  const std::vector<int>& also = facts_.documents[document].statuses;
  const bool is_told =
      answer.is_ok() || std::find(also.begin(), also.end(), answer.status) != also.end();
  if (is_told) {
    shelf_.put(document, answer.body, ports_.clock.now());
  } else {
    shelf_.forget(document);
  }
  return true;
}

EngineReading NodeProbe::read_documents() const {
  return read_engine(shelf_.answers(times_.scrape * 3, ports_.clock.now()), facts_);
}

void NodeProbe::tell_documents() {
  const EngineReading told = read_documents();
  asleep_ = told.asleep;
  if (told.limit && *told.limit >= 1 && *told.limit <= kSlotsMax) {
    sink_.on_slots(static_cast<int>(*told.limit));
  }
  if (state_ == State::stopped || (!pageless_ && !asleep_)) return;
  const bool is_load = told.asleep || told.running || told.waiting || told.in_flight;
  if (pageless_) idle_ = told.running == 0.0 && told.waiting.value_or(0) == 0.0;
  if (is_load) {
    sink_.on_reading(told);
  } else {
    sink_.on_documents(told);
  }
}

void NodeProbe::take_metrics(const Answer& answer) {
  if (!answer.is_ok()) return take_metrics_failure(answer);
  ExpositionLimits limits;
  limits.open_metrics = answer.open_metrics;
  limits.names = facts_.series_names;
  sieve_->finish();
  const Exposition page = parse_exposition(sieve_->text(), limits);
  Answers answers = shelf_.answers(times_.scrape * 3, ports_.clock.now());
  answers.page = &page;
  EngineReading reading = read_engine(answers, facts_);
  reading.took = ports_.clock.now() - asked_at_;
  metrics_failures_ = 0;
  late_ = false;
  pageless_ = false;
  idle_ = reading.running == 0.0 && reading.waiting.value_or(0) == 0.0;
  ask_after(schedule(Question::metrics), scrape_gap());
  if (liveness_ == Question::metrics) take_liveness(true, answer.why());
  if (state_ != State::stopped) sink_.on_reading(reading);
}

// The page may stand elsewhere: the next path is tried at once, each once in a round.
bool NodeProbe::try_next_page(const Answer& answer) {
  const std::vector<std::string>& pages = facts_.scrape.pages;
  if (!answer.failure.empty() || !says_no_such_page(answer.status)) return false;
  page_ = (page_ + 1) % pages.size();
  schedule(Question::metrics).path = pages[page_];
  pageless_ = page_ == 0;
  if (pageless_) return false;
  schedule(Question::metrics).due = ports_.clock.now();
  return true;
}

void NodeProbe::take_metrics_failure(const Answer& answer) {
  if (try_next_page(answer)) return;
  ++metrics_failures_;
  const Duration most = answer.timed_out ? kBusyScrapeMax : kProbeBackoffMax;
  ask_after(schedule(Question::metrics), doubled(times_.scrape, metrics_failures_, most));
  const bool is_answer = answer.failure.empty();
  if (answer.timed_out && facts_.scrape.blocks_while_busy &&
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
  if (alive && liveness_ != Question::metrics) ask_after(schedule(liveness_), times_.probe);
  if (!alive) {
    const Duration gap = liveness_ == Question::metrics ? times_.scrape : times_.probe;
    ask_after(schedule(liveness_), doubled(gap, failures_, kProbeBackoffMax));
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

void NodeProbe::ask_after(Schedule& entry, Duration gap) {
  const double share = static_cast<double>(ports_.random.next() >> 11) * 0x1.0p-53;  // 0..1
  entry.due = ports_.clock.now() + gap.scaled(1 - kProbeJitter + 2 * kProbeJitter * share);
}

Duration NodeProbe::scrape_gap() const {
  const Duration gap = std::max(times_.scrape, facts_.scrape.gap_min);
  return idle_ ? std::max(gap, facts_.scrape.idle_gap) : gap;
}

Duration NodeProbe::document_gap(size_t document) const {
  return facts_.documents[document].at_scrape_pace ? scrape_gap() : times_.probe;
}

}  // namespace sluice::sense
