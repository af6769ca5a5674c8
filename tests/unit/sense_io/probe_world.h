// One engine behind a scripted HTTP client, in virtual time. Every request is noted with its time;
// the answer for its path comes at the set delay, or the request's own timeout strikes first.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "firmware/sense/probe.h"

namespace sluice::sense {

class ProbeWorld final : public ports::Clock,
                         public ports::Timers,
                         public ports::Random,
                         public ports::HttpClient,
                         public ProbeSink {
 public:
  struct Reply {
    int status = 200;
    std::string body = {};
    Duration delay = Duration::ms(1);
    std::string failure = {};  // not empty: the connection fails
    std::string content_type = "text/plain";
  };
  struct Asked {
    int64_t at_ms;
    std::string target;
    ports::HttpCallSpec spec;
  };

  std::map<std::string, Reply> replies;
  std::vector<Asked> asked;
  std::vector<std::string> told;  // by the probe, in order
  std::vector<EngineReading> readings;
  std::vector<EngineReading> documents;
  std::vector<std::string> models;
  std::optional<int64_t> max_model_len;
  std::function<void()> on_told = [] {};
  int in_flight = 0;
  int in_flight_most = 0;
  uint64_t chance = uint64_t{1} << 63;  // one half: no jitter

  Instant now() const override { return now_; }
  uint64_t next() override { return chance; }
  std::unique_ptr<ports::Timer> make(Callback on_fire) override {
    return std::make_unique<WorldTimer>(*this, std::move(on_fire));
  }
  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override {
    asked.push_back({now_.as_us() / 1000, spec.target, spec});
    in_flight_most = std::max(in_flight_most, ++in_flight);
    return std::make_unique<WorldCall>(*this, spec, sink);
  }

  void run_for(Duration span) {
    const Instant end = now_ + span;
    while (!events_.empty() && events_.begin()->first.first <= end) {
      const auto event = *events_.begin();
      events_.erase(events_.begin());
      now_ = event.first.first;
      event.second();
    }
    now_ = end;
  }
  std::vector<int64_t> times_of(const std::string& target) const {
    std::vector<int64_t> times;
    for (const Asked& one : asked) {
      if (one.target == target) times.push_back(one.at_ms);
    }
    return times;
  }
  size_t count_told(const std::string& text) const {
    return static_cast<size_t>(std::count(told.begin(), told.end(), text));
  }

  void on_reading(const EngineReading& reading) override {
    readings.push_back(reading);
    tell(reading.asleep ? "asleep" : "reading");
  }
  void on_models(std::vector<std::string> names, std::optional<int64_t> length) override {
    models = std::move(names);
    max_model_len = length;
    tell("models");
  }
  void on_documents(const EngineReading& reading) override { documents.push_back(reading); }
  void on_slots(int slots) override { tell("slots " + std::to_string(slots)); }
  void on_health(bool alive, std::string_view why) override {
    tell((alive ? "alive: " : "down: ") + std::string(why));
  }
  void on_metrics_fault(MetricsFault fault, std::string_view) override {
    tell(fault == MetricsFault::busy     ? "busy"
         : fault == MetricsFault::absent ? "absent"
                                         : "broken");
  }
  void on_key_refused(int status) override { tell("key refused " + std::to_string(status)); }

 private:
  using Key = std::pair<Instant, int>;
  void tell(std::string what) {
    told.push_back(std::move(what));
    on_told();
  }
  Key at(Duration after, Callback what) {
    const Key key{now_ + after, ++sequence_};
    events_[key] = std::move(what);
    return key;
  }

  class WorldTimer final : public ports::Timer {
   public:
    WorldTimer(ProbeWorld& world, Callback on_fire) : world_(world), on_fire_(std::move(on_fire)) {}
    ~WorldTimer() override { stop(); }
    void start(Duration after) override {
      stop();
      key_ = world_.at(after, [this] {
        key_.reset();
        on_fire_();
      });
    }
    void stop() override {
      if (key_) world_.events_.erase(*key_);
      key_.reset();
    }
    bool is_running() const override { return key_.has_value(); }

   private:
    ProbeWorld& world_;
    Callback on_fire_;
    std::optional<Key> key_;
  };

  class WorldCall final : public ports::HttpCall {
   public:
    WorldCall(ProbeWorld& world, const ports::HttpCallSpec& spec, ports::HttpCallSink& sink)
        : world_(world), sink_(sink), reply_(world.reply_to(spec.target)) {
      timed_out_ = reply_.delay > spec.timeouts.total;
      key_ = world.at(timed_out_ ? spec.timeouts.total : reply_.delay, [this] { answer(); });
    }
    ~WorldCall() override {
      --world_.in_flight;
      world_.events_.erase(key_);
    }
    void pause() override {}
    void resume() override {}

   private:
    // The probe may destroy this call in any callback: nothing is touched after the last one.
    void answer() {
      if (timed_out_ || !reply_.failure.empty()) {
        ports::HttpFailure failure;
        failure.error = {ErrorKind::gone, "test", reply_.failure};
        failure.timed_out = timed_out_;
        return sink_.on_fail(failure);
      }
      ports::HttpResponseHead head;
      head.status = reply_.status;
      head.fields.add("Content-Type", reply_.content_type);
      const std::string body = reply_.body;
      ports::HttpCallSink& sink = sink_;
      sink.on_head(head);
      const int calls = world_.in_flight;
      ProbeWorld& world = world_;
      if (!body.empty()) sink.on_body(body);
      if (world.in_flight == calls) sink.on_end();
    }
    ProbeWorld& world_;
    ports::HttpCallSink& sink_;
    Reply reply_;
    bool timed_out_ = false;
    Key key_;
  };

  Reply reply_to(const std::string& target) const {
    const auto found = replies.find(target);
    return found == replies.end() ? Reply{404, ""} : found->second;
  }

  Instant now_ = Instant::from_us(0);
  int sequence_ = 0;
  std::map<Key, Callback> events_;
};

}  // namespace sluice::sense
