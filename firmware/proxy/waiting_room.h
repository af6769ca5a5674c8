// Where requests wait that cannot be sent yet: the fair queue with its clock.
// poke() says that something changed (a request ended, a reading came); in a later turn those that
// wait are asked in order whether they can go now. One that has a moment of its own, look_again(),
// is asked then too, whatever its place in the order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "firmware/base/time.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/valve/fair_queue.h"

namespace sluice::proxy {

class Waiter {
 public:
  virtual ~Waiter() = default;
  // `in_turn`: nobody of its kind is before it. True: it went, and is out of the room.
  virtual bool try_to_go(bool in_turn) = 0;
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
  void look_again(uint64_t id, Instant at);  // replaces the moment asked for before
  void set_length_max(size_t length_max) { queue_.set_length_max(length_max); }
  size_t length() const { return queue_.size(); }
  // Those of this kind that go before `id`; before whoever enters now, if it is not in the room.
  struct Line {
    int count = 0;
    Tokens prompt;
  };
  Line before(uint64_t id, const std::string& kind) const;
  QueueReport queue() const override { return {queue_.size(), queue_.length_max()}; }

 private:
  struct Seat {
    Waiter* waiter;
    std::string kind;
    Tokens prompt;
    Instant wake;
  };
  void on_poke();
  void on_clock();
  void wake();
  void expire();
  void watch_clock();
  void remove_seat(uint64_t id);

  ports::Clock& clock_;
  valve::FairQueue queue_;
  std::map<uint64_t, Seat> seats_;
  std::map<std::string, Line> lines_;  // by kind: all of it
  std::set<std::pair<Instant, uint64_t>> wakes_;
  std::unique_ptr<ports::Timer> poke_;
  std::unique_ptr<ports::Timer> clock_timer_;
};

}  // namespace sluice::proxy
