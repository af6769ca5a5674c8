// What answers behind a link: an inference engine, or an endpoint that is paid per token. Each
// lives in its own time, told by the caller; what it says is heard a link's delay later.
// Order: times never decrease. Units: Micros of virtual time; tokens.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "tests/testbed/engine_metrics.h"
#include "tests/testbed/engine_model.h"

namespace sluice::sim {

using testbed::Micros;
using SeatId = testbed::RequestId;  // of one request in a service; small numbers, used again

class Service {
 public:
  virtual ~Service() = default;
  // 200: taken. Else the status with which it refuses.
  virtual int submit(Micros now, SeatId seat, int64_t prompt, int64_t output) = 0;
  virtual void cancel(Micros now, SeatId seat) = 0;
  virtual void advance(Micros now) = 0;
  virtual std::optional<Micros> next_event() const = 0;
  virtual void take_events(std::vector<testbed::EngineEvent>& into) = 0;
  virtual std::string metrics() const = 0;  // a page in vLLM's words; empty: it has none
  virtual int running() const = 0;
  virtual int waiting() const = 0;
};

// A continuous-batching engine (tests/testbed/engine_model.h) and what it tells of itself.
class EngineService final : public Service {
 public:
  EngineService(const testbed::StepCost& cost, const std::string& model);

  int submit(Micros now, SeatId seat, int64_t prompt, int64_t output) override;
  void cancel(Micros now, SeatId seat) override;
  void advance(Micros now) override { model_->advance(now); }
  std::optional<Micros> next_event() const override { return model_->next_event(); }
  void take_events(std::vector<testbed::EngineEvent>& into) override;
  std::string metrics() const override;
  int running() const override { return model_->running(); }
  int waiting() const override { return model_->waiting(); }

  void set_slowdown(double factor);
  void restart();  // all that it had is lost; its counters begin anew
  uint64_t preemptions() const { return model_->preemptions(); }
  const testbed::EngineModel& model() const { return *model_; }

 private:
  struct Seat {
    int64_t prompt = 0;
    Micros came = 0;
    Micros last_token = 0;
    bool admitted = false;
  };
  const testbed::StepCost cost_;
  const std::string name_;
  double slowdown_ = 1;
  std::unique_ptr<testbed::EngineModel> model_;
  std::unique_ptr<testbed::EngineMetrics> metrics_;
  std::vector<Seat> seats_;
};

// An endpoint that is always as fast: TTFT = first + prompt / prefill_tps, then a token each tpot.
struct TokenCloudSpec {
  Duration first = Duration::ms(300);
  double prefill_tps = 20'000;
  Duration tpot = Duration::ms(25);
  int running_max = 0;  // beyond it: 429; 0 = no bound
};

class TokenCloud final : public Service {
 public:
  explicit TokenCloud(const TokenCloudSpec& spec) : spec_(spec) {}

  int submit(Micros now, SeatId seat, int64_t prompt, int64_t output) override;
  void cancel(Micros now, SeatId seat) override;
  void advance(Micros now) override;
  std::optional<Micros> next_event() const override;
  void take_events(std::vector<testbed::EngineEvent>& into) override;
  std::string metrics() const override { return {}; }
  int running() const override { return running_; }
  int waiting() const override { return 0; }

 private:
  // A seat that is used again gets another generation: its old entries mean nothing.
  struct Due {
    Micros at = 0;
    uint64_t order = 0;
    SeatId seat = 0;
    uint32_t generation = 0;
    bool operator>(const Due& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Seat {
    int64_t output = 0;
    int64_t said = 0;
    uint32_t generation = 0;
    bool open = false;
  };
  void say(const Due& due);

  const TokenCloudSpec spec_;
  uint64_t order_ = 0;
  int running_ = 0;
  std::vector<Seat> seats_;
  std::vector<Due> first_;   // a heap: first tokens
  std::deque<Due> further_;  // all gaps are alike: in order of time as they come
  std::vector<testbed::EngineEvent> events_;
};

}  // namespace sluice::sim
