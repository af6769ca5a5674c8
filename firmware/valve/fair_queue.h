// Who waits, and who is next: a bounded queue of requests that cannot be sent yet.
//
// Priorities are strict. Inside a priority keys share by start-time fair queueing (Goyal, Vin and
// Cheng, 1996): each request gets a start tag max(virtual time, the key's last finish tag) and a
// finish tag start + cost; the least start tag is next, and serving it moves the virtual time to
// its start tag. A key that floods the queue therefore delays only itself. Equal tags go by
// deadline, then by arrival.
// A value: no clock, no timers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/ask.h"

namespace sluice::valve {

struct Ticket {
  uint64_t id = 0;  // unique among those waiting
  std::string key;
  Priority priority = Priority::normal;
  Tokens cost;         // expected work: prompt and output
  Instant deadline;    // leaves the queue then
  Tokens prompt = {};  // of the cost: what a node must compute before its first token
};

class FairQueue {
 public:
  explicit FairQueue(size_t length_max) : length_max_(length_max) {}

  bool push(Ticket ticket);  // false: full
  // Tickets in the order they would be served; `visit` returns true to take that ticket out and
  // go on, false to leave it and go on with the next.
  template <class Visit>
  void serve(Visit visit) {
    for (const uint64_t id : order()) {
      const Ticket* ticket = find(id);
      if (ticket != nullptr && visit(*ticket)) take(id);
    }
  }
  bool remove(uint64_t id);                          // the client left, or the deadline came
  std::vector<uint64_t> expired(Instant now) const;  // not removed
  std::optional<Instant> next_deadline() const;
  // Tickets in that order, nothing taken out; until `visit` returns false.
  template <class Visit>
  void look(Visit visit) const {
    for (const uint64_t id : order()) {
      if (!visit(*find(id))) return;
    }
  }
  size_t size() const { return waiting_.size(); }
  size_t length_max() const { return length_max_; }
  void set_length_max(size_t length_max) { length_max_ = length_max; }

 private:
  struct Waiting {
    Ticket ticket;
    double start_tag = 0;
    uint64_t arrival = 0;
  };
  std::vector<uint64_t> order() const;
  const Ticket* find(uint64_t id) const;
  void take(uint64_t id);

  size_t length_max_;
  uint64_t arrivals_ = 0;
  std::map<Priority, double> virtual_time_;
  // Of keys with something waiting or just served; the tags of two priorities do not compare.
  std::map<std::pair<Priority, std::string>, double> finish_tag_;
  std::map<uint64_t, Waiting> waiting_;
};

}  // namespace sluice::valve
