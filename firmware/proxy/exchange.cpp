#include "firmware/proxy/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/proxy/prompt_facts.h"
#include "firmware/proxy/request_ask.h"
#include "firmware/valve/rules/rules.h"
#include "firmware/valve/words.h"

namespace sluice::proxy {

namespace {

constexpr std::string_view kComment = ": waiting\n\n";
constexpr Duration kHoldRetryAfter = Duration::seconds(5);

ApiError unreadable(const Error& error) {
  if (error.kind != ErrorKind::refused) {
    return body_error(KeptBody::Refusal::disk_failed, BodyBounds());
  }
  return {400, "invalid_request_error", "invalid_request", error.text, {}, false};
}

// Requests of one kind may go to the same nodes under the same promise.
std::string kind_of(const valve::Ask& ask) {
  return fmt::format("{}|{}|{}|{}", ask.model, ask.may_use.bits(), ask.level.ttft_max.as_us(),
                     ask.level.tpot_max.as_us());
}

}  // namespace

Exchange::Exchange(ProxyWorld& world, Tenant tenant, const ports::HttpRequestHead& head,
                   upstream::Endpoint endpoint, ports::HttpAnswer& answer)
    : world_(world),
      tenant_(std::move(tenant)),
      client_fields_(head.fields),
      client_query_(head.query()),
      endpoint_(endpoint),
      answer_(answer),
      id_(world.random.next() >> 1),
      request_id_(request_id(id_)),
      arrived_(world.clock.now()),
      arriving_(std::make_shared<KeptBody>(world.bodies, world.scratch, tenant_.key)),
      reader_(endpoint, head.fields.get("content-type")) {
  if (head.content_length) arriving_->expect(*head.content_length);
}

Exchange::~Exchange() {
  if (state_ == State::done) return;
  if (attempt_) attempt_->cancel();
  leave();
}

void Exchange::move_to(State state) {
  ENSURE(state_ != State::done);
  ENSURE(state_ != State::passing || state == State::done);
  state_ = state;
}

void Exchange::on_body(std::string_view bytes) {
  if (state_ != State::reading) return;
  if (const auto refusal = arriving_->append(bytes)) {
    return fail(body_error(*refusal, world_.bodies.bounds()));
  }
  if (arriving_->is_in_memory()) return;
  if (const Result<void> read = reader_.advance(*arriving_); !read) fail(unreadable(read.error()));
}

void Exchange::on_body_end() {
  if (state_ != State::reading) return;
  Result<upstream::RequestBody> read = reader_.finish(*arriving_);
  if (!read) return fail(unreadable(read.error()));
  read_ = std::move(*read);
  body_ = std::exchange(arriving_, nullptr);
  auto ask = ask_of_body();
  if (const auto* error = std::get_if<ApiError>(&ask)) return fail(*error);
  ask_ = std::get<valve::Ask>(std::move(ask));
  const Tokens out = ask_.output_tokens_max.count > 0 ? ask_.output_tokens_max
                                                      : world_.policy.valve.expected_output;
  const Tokens wanted = ask_.prompt_tokens + out;
  const auto refusal =
      world_.limits.take_tokens(tenant_.key, tenant_.limits, wanted, world_.clock.now());
  if (refusal) return fail(limit_error(*refusal, tenant_.limits));
  estimated_ = wanted;
  world_.extras.on_request(ask_.may_use, world_.clock.now());
  if (read_.stream && !world_.policy.keepalive_comment.is_zero()) {
    quiet_ = world_.timers.make([this] { on_quiet(); });
    quiet_->start(world_.policy.keepalive_comment);
  }
  decide(false);
}

std::variant<valve::Ask, ApiError> Exchange::ask_of_body() {
  Result<PromptFacts> prompt = look_at_prompt(*body_, read_, endpoint_);
  if (!prompt) return unreadable(prompt.error());
  read_.prompt_bytes = prompt->bytes;
  marks_ = std::move(prompt->marks);
  RequestFacts facts{endpoint_, read_, id_, arrived_};
  facts.needs = prompt->needs;
  facts.beginning = sense::beginning_of(marks_);
  facts.has_context = prompt->has_context;
  if (!read_.previous_response.empty()) {
    facts.home =
        world_.response_homes.find(tenant_.key, read_.previous_response, world_.clock.now());
  }
  // A key that may not use the model is told so without the work of a translation.
  if (tenant_.may_use_model(read_.model) && may_need_translation(world_, endpoint_, read_.model)) {
    Result<Translation> said = translate(world_, tenant_.key, *body_);
    if (!said && said.error().kind != ErrorKind::refused) {
      return ApiError{503, "server_error", "body_not_kept", said.error().text, kHoldRetryAfter,
                      true};
    }
    facts.is_translated = said.has_value();
    if (said) {
      translated_ = std::move(*said);
    } else {
      facts.untranslatable = said.error().text;
    }
  }
  return make_ask(world_, tenant_, facts);
}

bool Exchange::speaks(const NodeAccess& access) const {
  if (access.speaks.has(endpoint_)) return true;
  return translated_ && access.speaks.has(*stand_in_for(endpoint_));
}

void Exchange::drop_body() {
  body_.reset();
  if (translated_) translated_->body.reset();
  marks_ = {};
}

bool Exchange::decide(bool in_turn) {
  const bool first = state_ == State::reading;
  const Instant now = world_.clock.now();
  ask_.over_budget = is_over_budget(world_, tenant_);
  WaitingRoom::Line before;
  if (!in_turn && world_.room.length() > 0) before = world_.room.before(id_, kind_of(ask_));
  valve::Decision decision;
  decision.ask = ask_;
  decision.view = world_.senses.view(ask_.model, before.count, now);
  world_.senses.add_prompt(decision.view, marks_, ask_.prompt_tokens);
  decision.view.held_prompt = before.prompt;
  decision.policy = world_.policy.valve;
  decision.draw = {world_.random.next()};
  decision.plan = valve::decide_by_rule(ask_, decision.view, decision.policy, decision.draw);
  plan_ = decision.plan;
  if (!first && plan_.verdict == valve::Verdict::hold) {
    world_.room.look_again(id_, plan_.decide_by);
    return false;
  }
  world_.senses.decided(ask_.model, plan_, now);
  const valve::View view = plan_.verdict == valve::Verdict::refuse ? decision.view : valve::View();
  world_.decisions.add(std::move(decision), request_id_, tenant_.name, world_.calendar.now());
  switch (plan_.verdict) {
    case valve::Verdict::send:
      candidate_ = 0;
      start_attempt(false);
      break;
    case valve::Verdict::hold:
      hold();
      break;
    case valve::Verdict::refuse:
      refuse(plan_, view);
      break;
  }
  return true;
}

void Exchange::hold() {
  valve::Ticket ticket;
  ticket.id = id_;
  ticket.key = tenant_.key;
  ticket.priority = ask_.priority;
  ticket.cost = estimated_;
  ticket.prompt = ask_.prompt_tokens;
  ticket.deadline = std::min(ask_.deadline, world_.clock.now() + world_.policy.queue_wait_max);
  move_to(State::held);
  if (world_.room.enter(std::move(ticket), kind_of(ask_), *this)) {
    world_.room.look_again(id_, plan_.decide_by);
    if (plan_.reason == valve::Reason::waits_its_turn) world_.room.poke();
    return;
  }
  fail({503, "server_error", "queue_full",
        fmt::format("the local engine is full and {} requests wait already; try again later",
                    world_.room.length()),
        kHoldRetryAfter, true});
}

void Exchange::refuse(const valve::Plan& plan, const valve::View& view) {
  const std::string words = valve::explain(view, plan, valve::Language::en);
  if (plan.reason == valve::Reason::past_deadline) {
    return fail({504, "server_error", "deadline_exceeded", words, {}, false});
  }
  if (const auto error = needs_error(plan, ask_)) return fail(*error);
  if (plan.reason == valve::Reason::not_permitted) {
    return fail({403, "permission_error", "not_permitted", words, {}, false});
  }
  fail({503, "server_error", "no_node", words, kHoldRetryAfter, true});
}

bool Exchange::try_to_go(bool in_turn) { return decide(in_turn); }

void Exchange::on_waited_too_long() {
  const bool deadline = world_.clock.now() >= ask_.deadline;
  fail({deadline ? 504 : 503, "server_error", deadline ? "deadline_exceeded" : "queue_timeout",
        fmt::format("waited {} ms for a place: {}", (world_.clock.now() - arrived_).as_ms(),
                    ask_.stays_home ? "this data may not leave, and the local engine was full or "
                                      "did not answer"
                                    : "no node had room"),
        kHoldRetryAfter, true});
}

// The last moment before a socket: what may not leave does not, whatever the plan said; settings
// may have changed while the request waited.
bool Exchange::may_still_go(const valve::Candidate& candidate) const {
  const auto access = world_.nodes.find(candidate.node);
  if (access == world_.nodes.end() || world_.senses.is_retired(candidate.node)) return false;
  if (!world_.senses.node(candidate.node).profile().enabled) return false;
  if (!speaks(access->second)) return false;
  if (candidate.cost.nano > 0 && is_over_budget(world_, tenant_)) return false;
  if (access->second.data.is_cloud && !world_.policy.valve.overflow) return false;
  return govern::may_go(tenant_.data_class, access->second.data);
}

void Exchange::start_attempt(bool same_node) {
  if (state_ != State::sending) move_to(State::sending);
  while (!may_still_go(plan_.candidates[candidate_])) {
    if (++candidate_ < plan_.candidates.size()) continue;
    return fail({503, "server_error", "no_node",
                 "the nodes that could take this request were changed meanwhile; try again",
                 kHoldRetryAfter, true});
  }
  ++attempts_;
  const valve::Candidate& candidate = plan_.candidates[candidate_];
  attempt_ =
      std::make_unique<HedgedAttempt>(world_, order_for(candidate), candidate, attempts_, *this);
  attempt_->start(same_node, attempts_ == 1 ? plan_.hedge_after : Duration(), *this);
  if (candidate_ > 0 || same_node || plan_.rescue_at == valve::kNever) return;
  rescue_ = world_.timers.make([this] { on_rescue(); });
  rescue_->start(std::max(Duration(), plan_.rescue_at - world_.clock.now()));
}

// The last moment at which the second candidate could keep the promise that the first one is about
// to lose. One attempt of the plan is spent by it, as by a failure.
void Exchange::on_rescue() {
  if (state_ != State::sending || ended_ || !attempt_ || attempt_->has_copy()) return;
  if (attempt_->shown().is_promise_in_sight()) return;
  const bool more = attempts_ < world_.policy.valve.attempts_max;
  if (!more || candidate_ + 1 >= plan_.candidates.size()) return;
  attempt_->supersede();
  used_ = used_ + attempt_->tokens_used();
  ++candidate_;
  start_attempt(false);
}

AttemptOrder Exchange::order_for(const valve::Candidate& candidate) const {
  const NodeAccess& access = world_.nodes.at(candidate.node);
  const bool translated = !access.speaks.has(endpoint_);
  return {ask_,
          tenant_,
          translated ? translated_->read : read_,
          translated ? translated_->body : body_,
          client_fields_,
          client_query_,
          request_id_,
          endpoint_,
          marks_,
          translated};
}

// The next candidate gets the copy, and is no longer one for a retry.
std::optional<HedgeCopy> Exchange::copy_of_late() {
  const size_t next = candidate_ + 1;
  const Instant now = world_.clock.now();
  if (state_ != State::sending || next >= plan_.candidates.size()) return std::nullopt;
  if (now >= ask_.deadline || attempts_ >= world_.policy.valve.attempts_max) return std::nullopt;
  if (!may_still_go(plan_.candidates[next])) return std::nullopt;
  if (!world_.extras.take_hedge(ask_.may_use, now)) return std::nullopt;
  candidate_ = next;
  ++attempts_;
  return HedgeCopy{order_for(plan_.candidates[next]), plan_.candidates[next], attempts_};
}

ports::HttpFields Exchange::answer_fields(const ports::HttpFields& from_node, bool stream) const {
  ports::HttpFields fields = upstream::fields_for_client(from_node);
  fields.add("x-request-id", request_id_);
  if (shape_of(endpoint_) == ErrorShape::anthropic) fields.set("request-id", request_id_);
  if (stream) {
    fields.set("cache-control", "no-cache, no-transform");
    fields.set("x-accel-buffering", "no");
  }
  return fields;
}

void Exchange::send_stream_head() {
  committed_ = true;
  ports::HttpFields fields;
  fields.add("content-type", "text/event-stream; charset=utf-8");
  answer_.send_head(200, answer_fields(fields, true), std::nullopt);
}

void Exchange::on_quiet() {
  if (state_ != State::held && state_ != State::sending) return;
  if (!committed_) send_stream_head();
  answer_.send_body(kComment);
  quiet_->start(world_.policy.keepalive_comment);
}

// After a comment the client reads a stream: an answer in one piece cannot stand in it.
bool Exchange::cannot_pass() const { return committed_ && !attempt_->shown().is_event_stream(); }

void Exchange::on_attempt_body(std::string_view bytes) {
  if (state_ == State::done || cannot_pass()) return;
  if (state_ == State::sending) {
    move_to(State::passing);
    drop_body();  // no other attempt follows
    if (!committed_) {
      const bool stream = attempt_->shown().is_event_stream();
      ports::HttpFields fields = answer_fields(attempt_->shown().head().fields, stream);
      fields.add("x-sluice-node", world_.senses.node(attempt_->shown().node()).profile().name);
      std::optional<uint64_t> length;
      if (attempt_->shown().passes_whole()) length = attempt_->shown().head().content_length;
      answer_.send_head(attempt_->shown().head().status, fields, length);
    }
  }
  answer_.send_body(bytes);
  if (answer_.backlog_bytes() > ports::kAnswerBacklogHigh) attempt_->pause();
}

void Exchange::on_drained() {
  if (state_ == State::passing && attempt_) attempt_->resume();
}

// The attempt is not destroyed inside its own callback: what follows happens a turn later, but for
// the good end, which needs no other attempt.
void Exchange::on_attempt_end(AttemptVerdict verdict) {
  if (state_ == State::done) return;
  used_ = used_ + attempt_->tokens_used();
  if (verdict.served && cannot_pass()) {
    return fail({502,
                 "server_error",
                 "not_a_stream",
                 "the node answered in one piece where a stream was asked for",
                 {},
                 true});
  }
  if (verdict.served) return finish_served();
  ended_ = std::move(verdict);
  if (!turn_) turn_ = world_.timers.make([this] { on_turn(); });
  turn_->start(Duration());
}

void Exchange::finish_served() {
  if (state_ == State::sending && !committed_) {  // an empty answer
    ports::HttpFields fields = answer_fields(attempt_->shown().head().fields, false);
    fields.add("x-sluice-node", world_.senses.node(attempt_->shown().node()).profile().name);
    answer_.send_head(attempt_->shown().head().status, fields, 0);
  }
  move_to(State::done);
  leave();
  answer_.end();
}

void Exchange::on_turn() {
  if (state_ == State::done || !ended_) return;
  AttemptVerdict verdict = std::move(*ended_);
  ended_.reset();
  if (state_ == State::passing) return fail(verdict.error);
  const bool in_time = world_.clock.now() < ask_.deadline;
  // A connection that the node had closed says nothing of the node: one such try is not counted.
  if (verdict.same_node_again && in_time && !stale_seen_) {
    stale_seen_ = true;
    return start_attempt(true);
  }
  if (verdict.retryable && in_time && may_try_next(verdict)) {
    ++candidate_;
    return start_attempt(false);
  }
  if (attempts_ > 1) verdict.error.may_retry = false;
  fail_with_node_body(std::move(verdict));
}

// What did not reach a node was no load on it, and costs no retry of the budget. Where that is used
// up the client must not try again either: it would be the same load.
bool Exchange::may_try_next(AttemptVerdict& verdict) {
  const bool more = attempts_ - (stale_seen_ ? 1 : 0) < world_.policy.valve.attempts_max;
  if (!more || candidate_ + 1 >= plan_.candidates.size()) return false;
  if (!verdict.was_sent) return true;
  const bool granted = world_.extras.take_retry(ask_.may_use, world_.clock.now());
  if (!granted) verdict.error.may_retry = false;
  return granted;
}

void Exchange::fail_with_node_body(AttemptVerdict verdict) {
  if (verdict.node_body.empty() || committed_) return fail(verdict.error);
  ports::HttpFields fields = std::move(verdict.node_fields);
  fields.add("x-request-id", request_id_);
  fields.add("x-sluice-node", world_.senses.node(attempt_->shown().node()).profile().name);
  if (!verdict.error.may_retry) fields.set("x-should-retry", "false");
  move_to(State::done);
  leave();
  answer_.send_head(verdict.error.status, fields, verdict.node_body.size());
  answer_.send_body(verdict.node_body);
  answer_.end();
}

void Exchange::fail(const ApiError& error) {
  const bool passing = state_ == State::passing;
  move_to(State::done);
  leave();
  if (!passing && !committed_) {
    return send_error(answer_, error, request_id_, shape_of(endpoint_));
  }
  const bool told =
      passing && attempt_ && attempt_->shown().told_error();  // by the node: once is enough
  const bool stream = !told && (committed_ || (attempt_ && attempt_->shown().is_event_stream()));
  if (stream && passing) answer_.send_body("\n\n");  // ends an event that broke off
  if (stream) {
    const int64_t events = attempt_ && passing ? attempt_->shown().events_passed() : 0;
    answer_.send_body(error_event(error, upstream::facts_of(endpoint_).dialect, events));
  }
  answer_.cut();
}

void Exchange::on_client_gone() {
  if (state_ == State::done) return;
  if (attempt_) {
    attempt_->cancel();
    if (!ended_) used_ = used_ + attempt_->tokens_used();
  }
  move_to(State::done);
  leave();
}

void Exchange::leave() {
  if (!inside_) return;
  inside_ = false;
  arriving_.reset();
  drop_body();
  world_.room.leave(id_);
  if (quiet_) quiet_->stop();
  if (rescue_) rescue_->stop();
  world_.limits.correct_tokens(tenant_.key, tenant_.limits, estimated_, used_);
  world_.limits.leave(tenant_.key);
}

}  // namespace sluice::proxy
