// Where requests wait that cannot be sent yet: the fair queue with its clock.
// poke() says that something changed (a request ended, a reading came); in a later turn those that
// wait are asked in order whether they can go now.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "firmware/base/time.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/valve/fair_queue.h"

namespace sluice::proxy {

class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual bool try_to_go() = 0;           // true: it went, and is out of the room
  virtual void on_waited_too_long() = 0;  // it is out of the room
};

class WaitingRoom : public QueueView {
 public:
  WaitingRoom(ports::Clock& clock, ports::Timers& timers, size_t length_max);

  // Tickets of one `kind` are alike in where they may go: if one cannot go, the others are not
  // asked. False: the room is full. The waiter must call leave() before it ends.
  bool enter(valve::Ticket ticket, std::string kind, Waiter& waiter);
  void leave(uint64_t id);  // no effect if it is not in the room
  void poke();
  void set_length_max(size_t length_max) { queue_.set_length_max(length_max); }
  size_t length() const { return queue_.size(); }
  int waiting(const std::string& kind) const;
  QueueReport queue() const override { return {queue_.size(), queue_.length_max()}; }

 private:
  struct Seat {
    Waiter* waiter;
    std::string kind;
  };
  void on_poke();
  void on_expiry();
  void watch_expiry();

  ports::Clock& clock_;
  valve::FairQueue queue_;
  std::map<uint64_t, Seat> seats_;
  std::unique_ptr<ports::Timer> poke_;
  std::unique_ptr<ports::Timer> expiry_;
};

}  // namespace sluice::proxy
