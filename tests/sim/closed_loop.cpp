#include "tests/sim/closed_loop.h"

#include <algorithm>
#include <numeric>

#include "tests/testbed/samples.h"

namespace sluice::sim {

namespace {

constexpr const char* kModel = "report-writer";
constexpr int64_t kCheapOut = 4000;  // nano per token
constexpr int64_t kDearOut = 8000;

sense::NodeProfile profile(const char* name, valve::Place place, int64_t price_out, int untried) {
  sense::NodeProfile node;
  node.name = name;
  node.place = place;
  node.models = {{kModel, kModel}};
  node.price_out_nano = price_out;
  node.untried_concurrency = untried;
  return node;
}

}  // namespace

Site::Site(const SiteOptions& options) : options_(options), chance_(options.seed) {
  policy_.overflow = options.overflow;
  policy_.hold = options.hold;
  const Result<void> known =
      senses_.configure({profile("gpu", valve::Place::local, 0, 32),
                         profile("dear", valve::Place::cloud, kDearOut, 0),
                         profile("cheap", valve::Place::cloud, kCheapOut, 0)},
                        sense::SenseTimes(), policy_, options.level.tpot_max);
  ENSURE(known.has_value());
  engines_.emplace_back(*testbed::step_cost_named("report-case"));
  engines_.emplace_back(*testbed::step_cost_named("cloud"));
  engines_.emplace_back(*testbed::step_cost_named("cloud"));
}

void Site::note(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ull; }

void Site::arrive(Instant now) {
  const uint64_t id = next_id_++;
  valve::Ask ask;
  ask.id = id;
  ask.key = "sim";
  ask.model = kModel;
  ask.prompt_tokens = {prompt_};
  ask.output_tokens_max = {output_};
  ask.stream = true;
  ask.level = options_.level;
  ask.arrived = now;
  ask.deadline = now + Duration::seconds(24 * 3600);
  ask.may_use = senses_.serving(kModel);
  const valve::View view = senses_.view(kModel, static_cast<int>(held_.size()), now);
  chance_ = chance_ * 6364136223846793005ull + 1442695040888963407ull;
  const valve::Plan plan = valve::decide(ask, view, policy_, {chance_ >> 1});
  senses_.decided(kModel, plan, now);
  ENSURE(plan.verdict != valve::Verdict::refuse);
  if (plan.verdict == valve::Verdict::hold) {
    held_.emplace(id, ask);
    return;
  }
  send(id, plan, ask, now);
}

void Site::send(uint64_t id, const valve::Plan& plan, const valve::Ask& ask, Instant now) {
  const int node = plan.candidates.front().node.index;
  note(id * 4 + static_cast<uint64_t>(node));
  senses_.node(plan.candidates.front().node)
      .reserve({id, ask.prompt_tokens, ask.level.tpot_max, true}, now);
  open_[id] = {ask.arrived, node, 0};
  const bool accepted =
      engines_[static_cast<size_t>(node)].submit(now.as_us(), id, prompt_, output_);
  ENSURE(accepted);
}

void Site::step_engines(Instant now) {
  for (size_t i = 0; i < engines_.size(); ++i) {
    engines_[i].advance(now.as_us());
    sense::NodeState& node = senses_.node({static_cast<uint8_t>(i)});
    for (const testbed::EngineEvent& event : engines_[i].take_events()) {
      using Kind = testbed::EngineEvent::Kind;
      const Instant at = Instant::from_us(event.at);
      if (event.kind == Kind::first_token) node.first_token(event.id, at);
      if (event.kind == Kind::token) node.tokens(event.id, 1, at);
      if (event.kind != Kind::finished) continue;
      const Request done = open_.at(event.id);
      open_.erase(event.id);
      node.end(event.id, {sense::FlightEnd::served, {output_}, true, {}, ""}, at);
      seconds_.push_back((at - done.arrived).as_seconds());
      note(static_cast<uint64_t>(event.at));
      ++result_.requests;
      if (done.node != 0) ++result_.cloud;
      result_.cloud_cost_nano += node.profile().price_out_nano * output_;
      ++to_arrive_;
    }
  }
}

void Site::observe(Instant now) {
  if (now >= next_scrape_) {
    sense::EngineReading reading;
    reading.running = engines_[0].running();
    reading.waiting = engines_[0].waiting();
    for (uint8_t i = 0; i < 3; ++i) senses_.node({i}).health(true, "", now);
    senses_.node({0}).read(reading, now);
    next_scrape_ = now + options_.scrape;
  }
  if (now >= next_learn_) {
    senses_.learn(now);
    next_learn_ = now + options_.learn;
  }
}

Instant Site::next_moment() const {
  Instant next = std::min(next_scrape_, next_learn_);
  for (const testbed::EngineModel& engine : engines_) {
    if (const auto at = engine.next_event()) next = std::min(next, Instant::from_us(*at));
  }
  return std::max(next, now_);
}

LoadResult Site::run(int users, int requests, int64_t prompt_tokens, int64_t output_tokens) {
  prompt_ = prompt_tokens;
  output_ = output_tokens;
  result_ = {};
  seconds_.clear();
  to_arrive_ = users;
  while (result_.requests < requests || !open_.empty() || !held_.empty()) {
    now_ = next_moment();
    step_engines(now_);
    observe(now_);
    const auto waiting = std::exchange(held_, {});
    for (const auto& [id, ask] : waiting) {
      const valve::View view = senses_.view(kModel, static_cast<int>(held_.size()), now_);
      const valve::Plan plan = valve::decide(ask, view, policy_, {id});
      if (plan.verdict == valve::Verdict::send) {
        send(id, plan, ask, now_);
      } else {
        held_.emplace(id, ask);
      }
    }
    const bool more = result_.requests + static_cast<int>(open_.size() + held_.size()) < requests;
    for (; to_arrive_ > 0; --to_arrive_) {
      if (more) arrive(now_);
    }
  }
  result_.mean_s =
      std::accumulate(seconds_.begin(), seconds_.end(), 0.0) / static_cast<double>(seconds_.size());
  std::sort(seconds_.begin(), seconds_.end());
  result_.p95_s = seconds_[seconds_.size() * 95 / 100];
  return result_;
}

int Site::line() const {
  return valve::line_of(senses_.node({0}).view(now_), options_.level.tpot_max, policy_, nullptr);
}

}  // namespace sluice::sim
