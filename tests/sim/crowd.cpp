#include "tests/sim/crowd.h"

namespace sluice::sim {

namespace {

constexpr Duration kLeaveWithin = Duration::seconds(10);
constexpr Duration kSlowPause = Duration::seconds(3);
constexpr size_t kNobody = SIZE_MAX;

}  // namespace

Crowd::Crowd(Site& site, const CrowdSpec& spec, Chance chance)
    : site_(site), spec_(spec), chance_(chance), next_(site.timers.make([this] { on_come(); })) {
  site_.on_over = [this](const RequestResult& result) { on_over(result); };
}

Crowd::~Crowd() { site_.on_over = nullptr; }

void Crowd::start() {
  coming_ = true;
  until_ = site_.clock.now() + spec_.length;
  next_->start(Duration());
}

void Crowd::on_come() {
  if (site_.clock.now() >= until_) {
    coming_ = false;
    return;
  }
  for (int i = 0; i < static_cast<int>(spec_.burst); ++i) come();
  // Between nothing and twice the mean: no logarithm, whose last digit libraries disagree about.
  const double mean_us = 1e6 * spec_.burst / spec_.per_second;
  const double first = chance_.part();
  const double second = chance_.part();
  next_->start(Duration::us(1 + static_cast<int64_t>(mean_us * (first + second))));
}

// Short ones are common, long ones are rare: the square of an even draw.
int64_t Crowd::draw_length(int64_t most) {
  const double part = chance_.part();
  return 1 + static_cast<int64_t>(static_cast<double>(most) * part * part);
}

void Crowd::come() {
  Visitor& visitor = visitors_.emplace_back();
  visitor.number = visitors_.size() - 1;
  visitor.key = static_cast<int>(chance_.next() % site_.spec().keys.size());
  visitor.stream = !chance_.happens(spec_.whole_share);
  visitor.turns_left = static_cast<int>(chance_.between(1, spec_.turns_max));
  visitor.tries_left = spec_.retries_max;
  visitor.backoff = spec_.backoff;
  visitor.prompt = spec_.system_prompt + draw_length(spec_.prompt_max);
  visitor.output = draw_length(spec_.output_max);
  visitor.leaves = chance_.happens(spec_.leave_share);
  visitor.reads_slowly = chance_.happens(spec_.slow_share);
  visitor.timer = site_.timers.make([this, number = visitor.number] { on_time(number); });
  ++active_;
  ask(visitor);
}

std::vector<uint64_t> Crowd::blocks_of(const Visitor& visitor) const {
  std::vector<uint64_t> blocks;
  for (int64_t block = 0; (block + 1) * kBlockTokens <= visitor.prompt; ++block) {
    const bool common = (block + 1) * kBlockTokens <= spec_.system_prompt;
    const uint64_t whose = common ? 0 : visitor.number + 1;
    blocks.push_back(whose << 20 | static_cast<uint64_t>(block));
  }
  return blocks;
}

void Crowd::ask(Visitor& visitor) {
  --visitor.turns_left;
  const SimAsk wanted{visitor.key, visitor.prompt, visitor.output, visitor.stream,
                      blocks_of(visitor)};
  visitor.request = site_.open(wanted);
  asked_by_.resize(*visitor.request + 1, kNobody);
  asked_by_[*visitor.request] = visitor.number;
  if (visitor.leaves) {
    visitor.next = Visitor::Next::leave;
    visitor.timer->start(Duration::us(chance_.between(0, kLeaveWithin.as_us())));
  } else if (!spec_.patience.is_zero()) {
    visitor.next = Visitor::Next::lose_patience;
    visitor.timer->start(spec_.patience);
  } else if (visitor.reads_slowly) {
    visitor.next = Visitor::Next::drain;
    if (SimClient* client = site_.client(*visitor.request)) client->stop_reading();
    visitor.timer->start(kSlowPause);
  }
}

void Crowd::on_time(size_t number) {
  Visitor& visitor = visitors_[number];
  if (visitor.next == Visitor::Next::ask) return ask(visitor);
  SimClient* client = visitor.request ? site_.client(*visitor.request) : nullptr;
  if (client == nullptr || client->is_over()) return;
  if (visitor.next == Visitor::Next::drain) {
    client->drain();
    if (client->is_over()) return;
    if (chance_.happens(0.5)) client->stop_reading();
    return visitor.timer->start(kSlowPause);
  }
  if (visitor.next == Visitor::Next::lose_patience && client->has_content()) return;
  client->leave();
}

void Crowd::on_over(const RequestResult& result) {
  const size_t number = result.request < asked_by_.size() ? asked_by_[result.request] : kNobody;
  if (number == kNobody) return;
  Visitor& visitor = visitors_[number];
  visitor.request.reset();
  visitor.timer->stop();
  go_on(visitor, result);
}

void Crowd::go_on(Visitor& visitor, const RequestResult& result) {
  if (visitor.leaves && result.ending == SimClient::Ending::left) return end(visitor);
  visitor.next = Visitor::Next::ask;
  if (!result.is_served()) {
    if (visitor.tries_left-- <= 0) return end(visitor);
    ++retries_;
    ++visitor.turns_left;
    visitor.timer->start(visitor.backoff);
    visitor.backoff = visitor.backoff * 2;
    return;
  }
  if (visitor.turns_left <= 0) return end(visitor);
  visitor.prompt += result.output + draw_length(spec_.prompt_max / 4 + 1);
  visitor.output = draw_length(spec_.output_max);
  visitor.timer->start(Duration::us(chance_.between(0, 2 * spec_.think.as_us())));
}

void Crowd::end(Visitor& visitor) {
  visitor.timer.reset();
  --active_;
}

}  // namespace sluice::sim
