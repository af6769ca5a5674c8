#include "firmware/proxy/attempt_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/proxy/translation.h"

namespace sluice::proxy {

namespace {

// How long a node that says 429 or 503 without Retry-After is left alone.
constexpr Duration kRetryAfterDefault = Duration::seconds(1);
// How long one that refuses our credential is: somebody has to change something first.
constexpr Duration kCredentialWait = Duration::seconds(30);

bool is_busy(int status) { return status == 429 || status == 503 || status == 529; }

// The model is gone there, or the node was never made for this (501:
// embeddings asked of an engine for chat): another node may do, and this one is well.
bool is_our_fault(int status) { return status == 404 || status == 501; }

Duration retry_after_of(const ports::HttpFields& fields) {
  const auto ms = to_integer(trim(fields.get("retry-after-ms")));
  if (ms && *ms >= 0) return Duration::ms(std::min<int64_t>(*ms, 3'600'000));
  const auto seconds = to_integer(trim(fields.get("retry-after")));
  if (seconds && *seconds >= 0) return Duration::seconds(std::min<int64_t>(*seconds, 3600));
  return kRetryAfterDefault;
}

// Asked for `identity`, a node compresses all the same: what it says could not be read, and the
// client never said that it understands it.
bool is_coded(const ports::HttpFields& fields) {
  const std::string_view coding = trim(fields.get("content-encoding"));
  return !coding.empty() && !equal_ignoring_case(coding, "identity");
}

}  // namespace

AttemptRun::AttemptRun(ProxyWorld& world, const AttemptOrder& order,
                       const valve::Candidate& candidate, int number, AttemptSink& sink)
    : world_(world),
      order_(order),
      candidate_(candidate),
      number_(number),
      sink_(sink),
      id_(world.attempt_ids.next(world.random, world.calendar.now())),
      upstream_model_(world.senses.node(candidate.node)
                          .upstream_name(order.ask.model)
                          .value_or(order.ask.model)) {}

AttemptRun::~AttemptRun() { ENSURE(state_ == State::ready || counted_out_); }

void AttemptRun::move_to(State next) {
  bool allowed = next == State::ended && state_ != State::ended;
  if (next == State::waiting_head) allowed = state_ == State::ready;
  if (next == State::answering || next == State::refusing) allowed = state_ == State::waiting_head;
  ENSURE(allowed);
  state_ = next;
}

void AttemptRun::count_in() {
  sent_ = world_.clock.now();
  sense::NodeState& node = world_.senses.node(candidate_.node);
  const Tokens matched =
      world_.senses.matched(candidate_.node, order_.marks, order_.ask.prompt_tokens);
  node.reserve({id_, order_.ask.prompt_tokens, order_.ask.level.tpot_max, order_.ask.stream,
                matched, order_.ask.arrived + order_.ask.level.ttft_max},
               sent_);
  const sense::NodeProfile& profile = node.profile();
  meter::AttemptStart start;
  start.id = id_;
  start.request = order_.request_id;
  start.key = order_.tenant.key;
  start.model = order_.ask.model;
  start.endpoint = upstream::name_of(order_.endpoint);
  start.node = profile.name;
  start.place = profile.place;
  start.number = number_;
  start.at = world_.calendar.now();
  start.prompt_estimate = order_.ask.prompt_tokens;
  start.price_in_nano = profile.price_in_nano;
  start.price_out_nano = profile.price_out_nano;
  start.price_cached_nano = profile.price_cached_nano;
  world_.meter.start(std::move(start));
}

void AttemptRun::start(bool fresh_connection) {
  ENSURE(state_ == State::ready);
  const NodeAccess& access = world_.nodes.at(candidate_.node);
  ENSURE(govern::may_go(order_.tenant.data_class, access.data));  // the exchange has looked
  count_in();
  move_to(State::waiting_head);
  ports::HttpCallSpec spec;
  spec.origin = access.target.origin;
  // What the client asks of its own endpoint says nothing to another one.
  spec.target = upstream::target_path(access.target, spoken(),
                                      order_.translated ? std::string_view() : order_.client_query);
  spec.fields =
      upstream::fields_for(access.target, order_.client_fields,
                           fmt::format("{}-{:x}", order_.request_id, id_), order_.ask.stream);
  spec.body = upstream::body_for_node(order_.bytes, order_.body, upstream_model_,
                                      upstream::facts_of(spoken()).takes_usage_option);
  spec.timeouts.connect = world_.policy.connect_max;
  // An earlier candidate has used up some of the time.
  spec.timeouts.first_byte =
      std::max(Duration::ms(1), std::min(order_.ask.deadline - sent_, candidate_.first_byte_max));
  spec.timeouts.idle = world_.policy.stream_idle_max;
  const Duration left = order_.ask.arrived + world_.policy.request_max - sent_;
  spec.timeouts.total = std::max(Duration::ms(1), left);
  spec.fresh_connection = fresh_connection;
  access.on_use();
  call_ = access.client->call(std::move(spec), *this);
}

void AttemptRun::cancel(meter::Outcome why) {
  if (state_ == State::ready || state_ == State::ended) return;
  const bool complete = filter_ && filter_->done_seen();
  const auto stopped =
      why == meter::Outcome::outrun ? sense::FlightEnd::outrun : sense::FlightEnd::cancelled;
  count_out(complete ? meter::Outcome::served : why, complete ? sense::FlightEnd::served : stopped,
            "");
  move_to(State::ended);
  call_.reset();
}

void AttemptRun::supersede() {
  ENSURE(!passed_on_);
  if (state_ == State::ready || state_ == State::ended) return;
  count_out(meter::Outcome::superseded, sense::FlightEnd::cancelled, "");
  move_to(State::ended);
  call_.reset();
}

bool AttemptRun::is_promise_in_sight() const {
  if (counted_out_ || first_byte_) return true;
  return world_.senses.node(candidate_.node).is_in_sight(id_, world_.clock.now());
}

void AttemptRun::pause() {
  if (call_) call_->pause();
}

void AttemptRun::resume() {
  if (call_) call_->resume();
}

bool AttemptRun::passes_whole() const {
  return !is_event_stream() && !translation_ && upstream_model_ == order_.ask.model;
}

upstream::Endpoint AttemptRun::spoken() const {
  return order_.translated ? *stand_in_for(order_.endpoint) : order_.endpoint;
}

int64_t AttemptRun::events_passed() const {
  if (translation_) return translation_->events_sent();
  return filter_ ? filter_->events_seen() : 0;
}

Tokens AttemptRun::tokens_used() const {
  if (filter_ && filter_->usage()) return filter_->usage()->in + filter_->usage()->out;
  if (!first_byte_) return {};
  return order_.ask.prompt_tokens + Tokens{filter_ ? filter_->tokens_counted() : 0};
}

void AttemptRun::on_head(const ports::HttpResponseHead& head) {
  head_ = head;
  if (head.status < 200 || head.status > 299) {
    move_to(State::refusing);
    return;
  }
  move_to(State::answering);
  if (is_coded(head.fields)) {
    return fail_unbegun("it was compressed, although the box asked for it as it is");
  }
  const std::string_view type = head.fields.get("content-type");
  upstream::AnswerEdits edits;
  if (!order_.translated) {
    edits.strip_usage = !order_.body.wants_usage;
    edits.upstream_model = upstream_model_;
    edits.client_model = order_.ask.model;
  }
  filter_.emplace(starts_with_ignoring_case(type, "text/event-stream"), std::move(edits),
                  upstream::facts_of(spoken()).dialect);
  if (order_.translated) {
    translation_.emplace(
        filter_->is_event_stream(),
        upstream::MessageName{"msg_" + order_.request_id.substr(4), order_.ask.model});
  }
}

void AttemptRun::on_body(std::string_view bytes) {
  if (state_ == State::refusing) {
    error_body_.append(
        bytes.substr(0, kErrorBodyMax - std::min(kErrorBodyMax, error_body_.size())));
    if (error_body_.size() >= kErrorBodyMax) on_end();  // who says more is not listened to
    return;
  }
  if (state_ != State::answering) return;
  if (!first_byte_) {
    first_byte_ = world_.clock.now();
    world_.senses.prefilled(candidate_.node, order_.marks);
  }
  received_ += bytes.size();
  const std::string_view out = filter_->feed(bytes);
  // The last byte of a body whose length is told: what it cost is written down before it goes on.
  if (passes_whole() && head_.content_length && received_ >= *head_.content_length) {
    (void)filter_->finish();
    count_out(meter::Outcome::served, sense::FlightEnd::served, "");
  }
  look(out);
}

void AttemptRun::look(std::string_view out) {
  if (translation_) out = translation_->feed(out);
  const int tokens = filter_->new_tokens();
  if (tokens > 0 && !counted_out_) {
    sense::NodeState& node = world_.senses.node(candidate_.node);
    const Instant now = world_.clock.now();
    const int later = first_token_seen_ ? tokens : tokens - 1;
    if (!first_token_seen_) node.first_token(id_, now);
    first_token_seen_ = true;
    if (later > 0) node.tokens(id_, later, now);
    world_.room.poke();  // a step of the engine has ended: there may be room
  }
  if (filter_->error_seen() && !passed_on_) {
    return fail_unbegun("its stream began with an error");
  }
  if (translation_ && translation_->is_broken()) return fail_untranslated();
  if (filter_->done_seen()) {
    count_out_answered();
    if (!after_done_) after_done_ = world_.timers.make([this] { on_after_done(); });
    after_done_->start(kAfterDoneMax);
  }
  learn_response();
  if (out.empty()) return;
  passed_on_ = true;
  sink_.on_attempt_body(out);
}

// Before the client can go on from it.
void AttemptRun::learn_response() {
  if (response_known_ || filter_->response_id().empty()) return;
  response_known_ = true;
  world_.response_homes.learn(order_.tenant.key, filter_->response_id(), candidate_.node,
                              world_.clock.now());
}

// A node may accept and then begin with an error, or in a form that nobody asked for: nothing of it
// has reached the client, so another node may still do better.
void AttemptRun::fail_unbegun(std::string why) {
  call_.reset();
  AttemptVerdict verdict = truncated_verdict();
  verdict.error.code = "node_failed";
  verdict.error.message = fmt::format("the node could not begin its answer: {}", why);
  count_out(meter::Outcome::failed, sense::FlightEnd::failed, std::move(why));
  move_to(State::ended);
  sink_.on_attempt_end(std::move(verdict));
}

void AttemptRun::fail_untranslated() {
  if (!passed_on_) return fail_unbegun("it is none of chat completions");
  call_.reset();
  count_out(meter::Outcome::cut, sense::FlightEnd::failed, "its stream is none of chunks");
  move_to(State::ended);
  sink_.on_attempt_end(truncated_verdict());
}

// The answer is complete, as far as its form goes; an error told within it is one all the same.
void AttemptRun::count_out_answered() {
  if (filter_->error_seen()) {
    count_out(meter::Outcome::cut, sense::FlightEnd::failed, "it told an error in its stream");
  } else {
    count_out(meter::Outcome::served, sense::FlightEnd::served, "");
  }
}

// All was said, yet the node keeps its answer open.
void AttemptRun::on_after_done() {
  if (state_ == State::ended) return;
  on_end();
}

void AttemptRun::on_end() {
  if (state_ == State::ended) return;
  call_.reset();
  if (state_ == State::refusing) {
    AttemptVerdict verdict = refusal_verdict();
    move_to(State::ended);
    return sink_.on_attempt_end(std::move(verdict));
  }
  std::string_view rest = filter_->finish();
  if (translation_) rest = translation_->finish();
  if (translation_ && translation_->is_broken()) return fail_untranslated();
  move_to(State::ended);
  const bool readable = filter_->has_last_event() && !filter_->passes_unread();
  // An answer that tells its own failure and ends in good order has said all: it passes as it is.
  const bool truncated = readable && !filter_->done_seen() && !filter_->error_seen();
  if (truncated) {
    count_out(first_byte_ ? meter::Outcome::cut : meter::Outcome::failed, sense::FlightEnd::failed,
              "its stream ended without its last event");
  } else {
    count_out_answered();
  }
  learn_response();
  if (!rest.empty()) sink_.on_attempt_body(rest);
  AttemptVerdict verdict = truncated ? truncated_verdict() : AttemptVerdict();
  verdict.served = !truncated;
  sink_.on_attempt_end(std::move(verdict));
}

void AttemptRun::on_fail(const ports::HttpFailure& failure) {
  if (state_ == State::ended) return;
  call_.reset();
  if (filter_ && filter_->done_seen()) {  // all was said; how the connection ended is no matter
    move_to(State::ended);
    AttemptVerdict verdict;
    verdict.served = true;
    return sink_.on_attempt_end(std::move(verdict));
  }
  const bool stale =
      failure.reused_connection && failure.stage != ports::HttpFailure::Stage::in_body;
  // A node that could not be reached has done nothing, and costs nothing.
  const bool sent = failure.stage != ports::HttpFailure::Stage::connect;
  const meter::Outcome outcome = failure.timed_out && sent ? meter::Outcome::timed_out
                                 : first_byte_             ? meter::Outcome::cut
                                                           : meter::Outcome::failed;
  count_out(outcome, stale ? sense::FlightEnd::cancelled : sense::FlightEnd::failed,
            failure.error.text);
  move_to(State::ended);
  sink_.on_attempt_end(failure_verdict(failure));
}

void AttemptRun::count_out(meter::Outcome outcome, sense::FlightEnd end, std::string why) {
  if (counted_out_) return;
  counted_out_ = true;
  const Instant now = world_.clock.now();
  meter::AttemptEnd ended;
  ended.outcome = outcome;
  ended.status = head_.fields.size() == 0 && state_ == State::waiting_head ? 0 : head_.status;
  if (filter_) {
    ended.out_counted.count = filter_->tokens_counted();
    if (order_.endpoint == upstream::Endpoint::count_tokens) ended.reported = true;  // is free
    if (const auto& usage = filter_->usage()) {
      ended.reported = true;
      ended.in_reported = usage->in;
      ended.out_reported = usage->out;
      ended.cached_reported = usage->cached;
    }
  }
  if (first_byte_) ended.first_byte = *first_byte_ - sent_;
  ended.total = now - sent_;
  world_.meter.end(id_, ended);
  sense::FlightResult result;
  result.end = end;
  result.output = ended.reported ? ended.out_reported : ended.out_counted;
  result.streamed = is_event_stream();
  if (ended.reported && ended.in_reported.count > 0) {
    result.cached = static_cast<double>(ended.cached_reported.count) /
                    static_cast<double>(ended.in_reported.count);
  }
  result.why = std::move(why);
  if (end == sense::FlightEnd::asked_to_wait) {
    const bool credential = head_.status == 401 || head_.status == 403;
    result.retry_after = credential ? kCredentialWait : retry_after_of(head_.fields);
  }
  world_.senses.node(candidate_.node).end(id_, result, now);
  world_.room.poke();
}

AttemptVerdict AttemptRun::refusal_verdict() {
  const int status = head_.status;
  const std::string& name = world_.senses.node(candidate_.node).profile().name;
  const std::string why = fmt::format("it answered {}", status);
  AttemptVerdict verdict;
  verdict.error = {502,
                   "server_error",
                   "node_refused",
                   fmt::format("the node \"{}\" answered with status {}", name, status),
                   {},
                   true};
  if (is_busy(status)) {
    count_out(meter::Outcome::busy, sense::FlightEnd::asked_to_wait, why);
    verdict.retryable = true;
    verdict.error.status = status == 429 ? 429 : 503;
    verdict.error.retry_after = retry_after_of(head_.fields);
  } else if (status == 401 || status == 403) {
    count_out(meter::Outcome::refused, sense::FlightEnd::asked_to_wait,
              fmt::format("it refuses our credential (status {})", status));
    verdict.retryable = true;
  } else if (is_our_fault(status)) {
    count_out(meter::Outcome::refused, sense::FlightEnd::client_fault, why);
    verdict.retryable = true;
  } else if (status >= 500) {
    count_out(meter::Outcome::failed, sense::FlightEnd::failed, why);
    verdict.retryable = true;
  } else {
    count_out(meter::Outcome::refused, sense::FlightEnd::client_fault, why);
  }
  // 401 and 403 speak of the box's own credential: the client must not take them for its own.
  const bool readable = !error_body_.empty() && !is_coded(head_.fields);
  if (status != 401 && status != 403 && status >= 400 && readable) {
    verdict.error.status = status;
    verdict.node_body = std::move(error_body_);
    verdict.node_fields = upstream::fields_for_client(head_.fields);
    if (order_.translated) {
      verdict.error.status = upstream::message_error_status(status);
      verdict.node_body = upstream::message_error(status, verdict.node_body);
      verdict.node_fields.set("content-type", "application/json");
    }
  }
  return verdict;
}

AttemptVerdict AttemptRun::failure_verdict(const ports::HttpFailure& failure) {
  const std::string& name = world_.senses.node(candidate_.node).profile().name;
  world_.log.warning("proxy", "request {}: node {}: {}", order_.request_id, name,
                     failure.error.text);
  AttemptVerdict verdict;
  verdict.retryable = true;
  verdict.was_sent = failure.stage != ports::HttpFailure::Stage::connect;
  verdict.same_node_again =
      failure.reused_connection && failure.stage != ports::HttpFailure::Stage::in_body;
  verdict.error = {failure.timed_out ? 504 : 502,
                   "server_error",
                   failure.timed_out ? "node_timeout" : "node_failed",
                   fmt::format("the node \"{}\" failed: {}", name, failure.error.text),
                   {},
                   true};
  return verdict;
}

AttemptVerdict AttemptRun::truncated_verdict() {
  AttemptVerdict verdict;
  verdict.retryable = true;
  verdict.error = {502,
                   "server_error",
                   "stream_truncated",
                   "the node's stream ended before it was complete; what was sent is not the whole "
                   "answer",
                   {},
                   true};
  return verdict;
}

}  // namespace sluice::proxy
