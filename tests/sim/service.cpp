#include "tests/sim/service.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace sluice::sim {

using testbed::EngineEvent;
using Kind = testbed::EngineEvent::Kind;

namespace {

template <class Seats>
auto& seat_at(Seats& seats, SeatId seat) {
  if (seats.size() <= seat) seats.resize(seat + 1);
  return seats[seat];
}

}  // namespace

EngineService::EngineService(const testbed::StepCost& cost, const std::string& model)
    : cost_(cost), name_(model) {
  restart();
}

void EngineService::restart() {
  model_ = std::make_unique<testbed::EngineModel>(cost_);
  model_->set_slowdown(slowdown_);
  metrics_ = std::make_unique<testbed::EngineMetrics>(testbed::MetricsDialect::vllm_v1, name_);
}

void EngineService::set_slowdown(double factor) {
  slowdown_ = factor;
  model_->set_slowdown(factor);
}

int EngineService::submit(Micros now, SeatId seat, int64_t prompt, int64_t output) {
  seat_at(seats_, seat) = {prompt, now, 0, false};
  return model_->submit(now, seat, prompt, output) ? 200 : 400;
}

void EngineService::cancel(Micros now, SeatId seat) { model_->cancel(now, seat); }

void EngineService::take_events(std::vector<EngineEvent>& into) {
  model_->take_events(into);
  for (const EngineEvent& event : into) {
    Seat& seat = seats_[event.id];
    const auto since = [&event](Micros then) { return testbed::to_seconds(event.at - then); };
    if (event.kind == Kind::token) {
      metrics_->on_token(since(seat.last_token));
      seat.last_token = event.at;
    } else if (event.kind == Kind::first_token) {
      metrics_->on_first_token(since(seat.came), seat.prompt);
      seat.last_token = event.at;
    } else if (event.kind == Kind::admitted && !seat.admitted) {
      metrics_->on_admitted(since(seat.came));
      seat.admitted = true;
    } else if (event.kind == Kind::finished) {
      metrics_->on_finished("stop", since(seat.came));
    }
  }
}

std::string EngineService::metrics() const {
  return metrics_->render(
      {model_->running(), model_->waiting(), model_->kv_usage(), model_->preemptions()});
}

int TokenCloud::submit(Micros now, SeatId id, int64_t prompt, int64_t output) {
  if (spec_.running_max > 0 && running_ >= spec_.running_max) return 429;
  Seat& seat = seat_at(seats_, id);
  ++seat.generation;
  seat.output = std::max<int64_t>(1, output);
  seat.said = 0;
  seat.open = true;
  ++running_;
  const double prefill = static_cast<double>(prompt) / spec_.prefill_tps;
  const Micros at = now + spec_.first.as_us() + std::llround(prefill * 1e6);
  first_.push_back({at, order_++, id, seat.generation});
  std::push_heap(first_.begin(), first_.end(), std::greater<>());
  return 200;
}

void TokenCloud::cancel(Micros, SeatId id) {
  Seat& seat = seat_at(seats_, id);
  if (seat.open) --running_;
  seat.open = false;
}

std::optional<Micros> TokenCloud::next_event() const {
  if (first_.empty() && further_.empty()) return std::nullopt;
  if (first_.empty()) return further_.front().at;
  if (further_.empty()) return first_.front().at;
  return std::min(first_.front().at, further_.front().at);
}

void TokenCloud::advance(Micros now) {
  for (std::optional<Micros> next = next_event(); next && *next <= now; next = next_event()) {
    if (!further_.empty() && further_.front().at == *next) {
      const Due due = further_.front();
      further_.pop_front();
      say(due);
      continue;
    }
    std::pop_heap(first_.begin(), first_.end(), std::greater<>());
    const Due due = first_.back();
    first_.pop_back();
    say(due);
  }
}

void TokenCloud::say(const Due& due) {
  Seat& seat = seats_[due.seat];
  if (!seat.open || seat.generation != due.generation) return;
  const Kind kind = seat.said == 0 ? Kind::first_token : Kind::token;
  events_.push_back({kind, due.seat, seat.said, due.at});
  if (++seat.said < seat.output) {
    further_.push_back({due.at + spec_.tpot.as_us(), order_++, due.seat, due.generation});
    return;
  }
  events_.push_back({Kind::finished, due.seat, seat.said, due.at});
  seat.open = false;
  --running_;
}

void TokenCloud::take_events(std::vector<EngineEvent>& into) {
  into.clear();
  into.swap(events_);
}

}  // namespace sluice::sim
