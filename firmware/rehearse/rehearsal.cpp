#include "firmware/rehearse/rehearsal.h"

#include <algorithm>
#include <string>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/valve/rules/rules.h"
#include "firmware/valve/splitmix.h"

namespace sluice::rehearse {

namespace {

constexpr const char* kModel = "m";
constexpr Instant kBegin = Instant::from_us(1'000'000);
constexpr Duration kLookMin = Duration::ms(1);  // as proxy/waiting_room

}  // namespace

Result<std::vector<Outcome>> Rehearsal::play(const Trace& trace, const Site& site,
                                             const Contender& contender) {
  Rehearsal rehearsal(trace, site, contender);
  if (Result<void> ok = rehearsal.configure(); !ok) return ok.error();
  rehearsal.run();
  std::vector<Outcome> outcomes;
  outcomes.reserve(rehearsal.requests_.size());
  for (const Request& request : rehearsal.requests_) outcomes.push_back(request.outcome);
  return outcomes;
}

Rehearsal::Rehearsal(const Trace& trace, const Site& site, const Contender& contender)
    : trace_(trace),
      site_(site),
      contender_(contender),
      now_(kBegin),
      queue_(site.queue_max),
      requests_(trace.size()) {}

Result<void> Rehearsal::configure() {
  if (site_.nodes.empty()) return Error{ErrorKind::refused, "rehearse", "there are no nodes"};
  std::vector<sense::NodeProfile> profiles;
  for (const SiteNode& node : site_.nodes) {
    profiles.push_back(node.profile);
    profiles.back().models = {{kModel, kModel}};
  }
  Result<void> done =
      senses_.configure(profiles, site_.times, contender_.policy, site_.level.tpot_max);
  if (!done) return done;
  for (size_t i = 0; i < site_.nodes.size(); ++i) {
    const auto* engine = std::get_if<EngineSpec>(&site_.nodes[i].service);
    engines_.push_back(engine == nullptr ? nullptr : std::make_unique<Engine>(*engine));
    stepping_.push_back(false);
    const valve::NodeId id{static_cast<uint8_t>(i)};
    if (engine != nullptr) senses_.node(id).set_card_facts(engine->step);
  }
  return {};
}

void Rehearsal::at(Instant when, What what, uint32_t subject, uint64_t attempt) {
  events_.push({std::max(when, now_), sequence_++, what, subject, attempt});
}

void Rehearsal::run() {
  if (trace_.empty()) return;
  at(now_, What::learn, 0);
  at(now_, What::scrape, 0);
  at(now_ + Duration::us(trace_.front().at_us), What::arrival, 0);
  while (open_ > 0 || next_arrival_ < trace_.size()) {
    ENSURE(!events_.empty());
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    handle(event);
  }
}

// Of an attempt, or a look, that is still meant.
bool Rehearsal::is_current(const Event& event) const {
  const Request& request = requests_[event.subject];
  switch (event.what) {
    case What::look:
      return request.held && request.wake == event.at;
    case What::expiry:
      return request.held;
    case What::rescue:
    case What::timeout:
      return request.state == State::sent && request.attempt == event.attempt;
    case What::first:
    case What::last:
      return request.state != State::over && request.attempt == event.attempt;
    case What::arrival:
    case What::step_end:
    case What::poke:
    case What::learn:
    case What::scrape:
      break;
  }
  return true;
}

void Rehearsal::handle(const Event& event) {
  if (!is_current(event)) return;
  switch (event.what) {
    case What::arrival:
      return arrive(event.subject);
    case What::step_end:
      return step(event.subject);
    case What::first:
      return hear_first(event.subject);
    case What::last:
      hear_last(event.subject);
      return serve_queue();
    case What::rescue:
      return rescue(event.subject);
    case What::timeout:
      return time_out(event.subject);
    case What::look:
      requests_[event.subject].wake = valve::kNever;
      if (decide(event.subject, false)) queue_.remove(event.subject);
      return;
    case What::expiry:
      queue_.remove(event.subject);
      return finish(event.subject, false);
    case What::poke:
      return serve_queue();
    case What::learn:
      senses_.learn(now_);
      at(now_ + site_.learn, What::learn, 0);
      return serve_queue();
    case What::scrape:
      scrape();
      at(now_ + site_.scrape, What::scrape, 0);
      return serve_queue();
  }
}

void Rehearsal::arrive(uint32_t id) {
  const Arrival& arrival = trace_[id];
  ++open_;
  if (++next_arrival_ < trace_.size()) {
    at(kBegin + Duration::us(trace_[next_arrival_].at_us), What::arrival,
       static_cast<uint32_t>(next_arrival_));
  }
  valve::Ask& ask = requests_[id].ask;
  ask.id = id;
  ask.key = "c" + std::to_string(arrival.client);
  ask.model = kModel;
  ask.prompt_tokens.count = arrival.prompt_tokens;
  ask.stream = true;
  ask.level = site_.level;
  ask.arrived = now_;
  ask.deadline = now_ + site_.deadline;
  ask.may_use = senses_.serving(kModel);
  ask.goal = contender_.goal;
  if (!arrival.blocks.empty()) ask.beginning = arrival.blocks.front() + 1;
  if (!decide(id, false)) hold(id);
}

bool Rehearsal::decide(uint32_t id, bool in_turn) {
  Request& request = requests_[id];
  int before = 0;
  Tokens before_prompt;
  if (!in_turn) {
    queue_.look([&](const valve::Ticket& ticket) {
      if (ticket.id == id) return false;
      ++before;
      before_prompt = before_prompt + ticket.prompt;
      return true;
    });
  }
  valve::View view = senses_.view(kModel, before, now_);
  view.held_prompt = before_prompt;
  request.plan = valve::decide_by_rule(request.ask, view, contender_.policy,
                                       {valve::splitmix(++draws_ * valve::kGoldenGamma)});
  const bool holds = request.plan.verdict == valve::Verdict::hold;
  if (!request.held || !holds) senses_.decided(kModel, request.plan, now_);
  if (holds) {
    if (request.held) look_again(id, request.plan.decide_by);
    return false;
  }
  request.held = false;
  request.candidate = 0;
  if (request.plan.verdict == valve::Verdict::send) {
    start_attempt(id);
  } else {
    finish(id, false);
  }
  return true;
}

void Rehearsal::hold(uint32_t id) {
  Request& request = requests_[id];
  valve::Ticket ticket;
  ticket.id = id;
  ticket.key = request.ask.key;
  ticket.prompt = request.ask.prompt_tokens;
  ticket.cost = request.ask.prompt_tokens + contender_.policy.expected_output;
  ticket.deadline = std::min(request.ask.deadline, now_ + site_.queue_wait_max);
  const Instant deadline = ticket.deadline;
  if (!queue_.push(std::move(ticket))) return finish(id, false);
  request.held = true;
  at(deadline, What::expiry, id);
  look_again(id, request.plan.decide_by);
  if (request.plan.reason == valve::Reason::waits_its_turn) at(now_, What::poke, id);
}

void Rehearsal::look_again(uint32_t id, Instant when) {
  Request& request = requests_[id];
  request.wake = when == valve::kNever ? when : std::max(when, now_ + kLookMin);
  if (when != valve::kNever) at(request.wake, What::look, id);
}

// In order, up to the first that cannot go: those behind it may go nowhere else.
void Rehearsal::serve_queue() {
  if (queue_.size() == 0) return;
  bool stuck = false;
  queue_.serve([&](const valve::Ticket& ticket) {
    stuck = stuck || !decide(static_cast<uint32_t>(ticket.id), true);
    return !stuck;
  });
}

sense::NodeState& Rehearsal::node_of(const Request& request) {
  return senses_.node(request.plan.candidates[request.candidate].node);
}

Engine* Rehearsal::engine_of(const Request& request) {
  return engines_[request.plan.candidates[request.candidate].node.index].get();
}

void Rehearsal::start_attempt(uint32_t id) {
  Request& request = requests_[id];
  const valve::Candidate& candidate = request.plan.candidates[request.candidate];
  const Arrival& arrival = trace_[id];
  request.state = State::sent;
  request.attempt = ++attempts_;
  ++request.attempts;
  node_of(request).reserve({request.attempt, request.ask.prompt_tokens, site_.level.tpot_max, true,
                            Tokens(), request.ask.arrived + site_.level.ttft_max},
                           now_);
  if (Engine* engine = engine_of(request)) {
    if (!engine->submit(id, arrival.prompt_tokens, arrival.output_tokens, now_)) {
      leave_node(id, sense::FlightEnd::client_fault, "");
      return finish(id, false);
    }
    watch_engine(candidate.node.index);
  } else {
    const auto& steady = std::get<SteadyNode>(site_.nodes[candidate.node.index].service);
    const double prompt_us =
        steady.us_per_prompt_token * static_cast<double>(arrival.prompt_tokens);
    const Instant first = now_ + steady.ttft + Duration::us(static_cast<int64_t>(prompt_us));
    at(first, What::first, id, request.attempt);
    at(first + steady.tpot * (arrival.output_tokens - 1), What::last, id, request.attempt);
  }
  at(now_ + candidate.first_byte_max, What::timeout, id, request.attempt);
  if (request.candidate == 0 && request.plan.rescue_at != valve::kNever) {
    at(request.plan.rescue_at, What::rescue, id, request.attempt);
  }
}

void Rehearsal::leave_node(uint32_t id, sense::FlightEnd end, const char* why) {
  Request& request = requests_[id];
  node_of(request).end(request.attempt, {end, Tokens(), true, Duration(), why}, now_);
  if (Engine* engine = engine_of(request)) engine->cancel(id);
}

void Rehearsal::rescue(uint32_t id) {
  Request& request = requests_[id];
  if (node_of(request).is_in_sight(request.attempt, now_)) return;
  const bool more = request.attempts < contender_.policy.attempts_max;
  if (!more || request.candidate + 1 >= request.plan.candidates.size()) return;
  leave_node(id, sense::FlightEnd::cancelled, "");
  ++request.candidate;
  start_attempt(id);
  serve_queue();
}

void Rehearsal::time_out(uint32_t id) {
  Request& request = requests_[id];
  leave_node(id, sense::FlightEnd::failed, "no first byte in time");
  const bool more = request.attempts < contender_.policy.attempts_max &&
                    request.candidate + 1 < request.plan.candidates.size();
  if (more && now_ < request.ask.deadline) {
    ++request.candidate;
    start_attempt(id);
  } else {
    finish(id, false);
  }
  serve_queue();
}

void Rehearsal::finish(uint32_t id, bool served) {
  Request& request = requests_[id];
  ENSURE(request.state != State::over);
  request.state = State::over;
  request.held = false;
  request.outcome.served = served;
  request.ask = {};
  request.plan = {};
  --open_;
}

void Rehearsal::watch_engine(uint32_t node) {
  if (stepping_[node] || !engines_[node]->step_end()) return;
  stepping_[node] = true;
  at(*engines_[node]->step_end(), What::step_end, node);
}

void Rehearsal::step(uint32_t node) {
  stepping_[node] = false;
  const StepDone& done = engines_[node]->finish_step();
  const valve::NodeId id{static_cast<uint8_t>(node)};
  for (const uint32_t one : done.tokens) senses_.node(id).tokens(requests_[one].attempt, 1, now_);
  for (const uint32_t one : done.firsts) hear_first(one);
  for (const uint32_t one : done.ended) hear_last(one);
  watch_engine(node);
  serve_queue();
}

void Rehearsal::hear_first(uint32_t id) {
  Request& request = requests_[id];
  if (request.state == State::answering) return;  // again, after a preemption
  request.state = State::answering;
  request.first = now_;
  request.outcome.ttft = now_ - request.ask.arrived;
  node_of(request).first_token(request.attempt, now_);
}

void Rehearsal::hear_last(uint32_t id) {
  Request& request = requests_[id];
  const int64_t tokens = trace_[id].output_tokens;
  sense::NodeState& node = node_of(request);
  if (tokens > 1) {
    request.outcome.tpot = (now_ - request.first) / (tokens - 1);
    // Of a steady node nobody looked at each.
    if (engine_of(request) == nullptr) {
      node.tokens(request.attempt, static_cast<int>(tokens - 1), now_);
    }
  }
  request.outcome.node = static_cast<int>(node.id().index);
  node.end(request.attempt, {sense::FlightEnd::served, Tokens{tokens}, true, Duration(), ""}, now_);
  finish(id, true);
}

void Rehearsal::scrape() {
  for (size_t i = 0; i < engines_.size(); ++i) {
    if (!engines_[i]) continue;
    sense::EngineReading reading;
    reading.running = engines_[i]->running();
    reading.waiting = engines_[i]->waiting();
    reading.kv_usage = engines_[i]->kv_usage();
    senses_.node({static_cast<uint8_t>(i)}).read(reading, now_);
  }
}

}  // namespace sluice::rehearse
