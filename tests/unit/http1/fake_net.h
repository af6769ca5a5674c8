// A network of one process: dials that succeed or fail when the test says so, streams whose far end
// is the test, timers that fire when the test moves the clock.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::testing {

class FakeTime final : public ports::Clock, public ports::Timers {
 public:
  Instant now() const override { return now_; }
  std::unique_ptr<ports::Timer> make(Callback on_fire) override {
    return std::make_unique<One>(*this, std::move(on_fire));
  }
  // Fires what is due on the way, in order.
  void pass(Duration span) {
    const Instant until = now_ + span;
    while (One* next = earliest(until)) {
      now_ = std::max(now_, next->due_);
      next->running_ = false;
      ++fired;
      const Callback fire = next->on_fire_;
      fire();
    }
    now_ = until;
  }
  void turn() { pass(Duration()); }

  int fired = 0;
  int started = 0;

 private:
  class One final : public ports::Timer {
   public:
    One(FakeTime& time, Callback on_fire) : time_(time), on_fire_(std::move(on_fire)) {
      time_.timers_.push_back(this);
    }
    ~One() override { std::erase(time_.timers_, this); }
    void start(Duration after) override {
      due_ = time_.now_ + after;
      running_ = true;
      ++time_.started;
    }
    void stop() override { running_ = false; }
    bool is_running() const override { return running_; }

    FakeTime& time_;
    const Callback on_fire_;
    Instant due_;
    bool running_ = false;
  };

  One* earliest(Instant until) {
    One* found = nullptr;
    for (One* timer : timers_) {
      const bool due = timer->running_ && timer->due_ <= until;
      if (due && (found == nullptr || timer->due_ < found->due_)) found = timer;
    }
    return found;
  }

  Instant now_ = Instant::from_us(1000000);
  std::vector<One*> timers_;
};

// The far end of one stream.
struct Wire {
  ports::Address address;
  ports::ByteSink* sink = nullptr;  // null: our end is closed
  std::string written;
  int writes = 0;
  bool reading = true;
  size_t stuck = 0;  // bytes that the kernel has not taken

  bool is_open() const { return sink != nullptr; }
  void answer(std::string_view bytes) { sink->on_bytes(bytes); }
};

class FakeStream final : public ports::ByteStream {
 public:
  explicit FakeStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~FakeStream() override { wire_->sink = nullptr; }
  void start(ports::ByteSink& sink) override { wire_->sink = &sink; }
  void write(std::string_view bytes) override {
    wire_->written.append(bytes);
    ++wire_->writes;
  }
  size_t pending_bytes() const override { return wire_->stuck; }
  void pause_reading() override { wire_->reading = false; }
  void resume_reading() override { wire_->reading = true; }
  void end_writing() override {}
  void reset() override { wire_->sink = nullptr; }
  const ports::Address& peer() const override { return wire_->address; }

 private:
  const std::shared_ptr<Wire> wire_;
};

class FakeDialer final : public ports::Dialer {
 public:
  std::unique_ptr<ports::Dial> dial(const ports::Address& to, Duration,
                                    ports::DialSink& sink) override {
    ++dials;
    waiting_ = &sink;
    address_ = to;
    return std::make_unique<One>(*this);
  }
  bool is_waiting() const { return waiting_ != nullptr; }
  std::shared_ptr<Wire> connect(size_t stuck = 0) {
    auto wire = std::make_shared<Wire>();
    wire->address = address_;
    wire->stuck = stuck;
    std::exchange(waiting_, nullptr)->on_connected(std::make_unique<FakeStream>(wire));
    return wire;
  }
  void refuse() {
    std::exchange(waiting_, nullptr)->on_dial_failed({ErrorKind::gone, "fake", "refused"});
  }

  int dials = 0;

 private:
  class One final : public ports::Dial {
   public:
    explicit One(FakeDialer& dialer) : dialer_(dialer) {}
    ~One() override { dialer_.waiting_ = nullptr; }

   private:
    FakeDialer& dialer_;
  };

  ports::DialSink* waiting_ = nullptr;
  ports::Address address_;
};

}  // namespace sluice::testing
