// The testbed's event loop: epoll, timers, steady clock. One thread.
// A Pollable may be destroyed inside its own on_ready() or another's, if it was forgotten first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/testbed/micros.h"

namespace sluice::testbed {

class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void on_ready(std::uint32_t epoll_events) = 0;
};

class Poller {
 public:
  using TimerId = std::pair<Micros, std::uint64_t>;

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  void watch(int fd, std::uint32_t events, Pollable& who);
  void change(int fd, std::uint32_t events);
  void forget(int fd);

  TimerId call_at(Micros when, std::function<void()> what);
  void cancel(const TimerId& timer) { timers_.erase(timer); }

  Micros now() const;
  // One turn: waits for a socket, a timer or `until`, whichever is first, and serves what is due.
  void run_once(std::optional<Micros> until);

 private:
  struct Watched {
    std::uint32_t generation;
    Pollable* who;
  };
  void serve_sockets(std::optional<Micros> until);
  void serve_timers();

  int epoll_;
  std::uint32_t generation_ = 0;
  std::unordered_map<int, Watched> watched_;
  std::uint64_t timer_sequence_ = 0;
  std::map<TimerId, std::function<void()>> timers_;
};

// To the hard limit.
void raise_descriptor_limit();

// SIGINT and SIGTERM as a flag that also ends the wait.
class StopSignals : public Pollable {
 public:
  explicit StopSignals(Poller& poller);
  ~StopSignals() override;
  void on_ready(std::uint32_t epoll_events) override;
  bool seen() const { return seen_; }

 private:
  Poller& poller_;
  int fd_;
  bool seen_ = false;
};

}  // namespace sluice::testbed
