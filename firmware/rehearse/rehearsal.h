// Plays arrivals against a site in virtual time, deciding as the box does: the real valve on what
// the real sense believes, requests held to their last safe moment and rescued (proxy/exchange.h,
// proxy/waiting_room.h), engines by their step model (engine.h). Time leaps from event to event.
// No HTTP, no faults: a first answer to "what would have become of this load".
//
// A request: waiting (before its first decision, or in the queue) -> sent -> answering -> over;
// sent -> sent when another candidate takes over; any -> over.
// A value: the same arrivals and site give the same outcomes.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "firmware/rehearse/arrivals.h"
#include "firmware/rehearse/engine.h"
#include "firmware/rehearse/score.h"
#include "firmware/rehearse/site.h"
#include "firmware/sense/senses.h"
#include "firmware/valve/fair_queue.h"
#include "firmware/valve/plan.h"

namespace sluice::rehearse {

class Rehearsal {
 public:
  // References: both outlive it. Errors: refused, the site has no or too many nodes.
  static Result<std::vector<Outcome>> play(const Trace& trace, const Site& site,
                                           const Contender& contender);

 private:
  enum class State { waiting, sent, answering, over };
  enum class What {
    arrival,
    step_end,
    first,
    last,
    rescue,
    timeout,
    look,
    expiry,
    poke,
    learn,
    scrape
  };

  struct Event {
    Instant at;
    uint64_t sequence = 0;  // of its making: equal times go in this order
    What what = What::learn;
    uint32_t subject = 0;  // a request; an engine's node for step_end
    uint64_t attempt = 0;  // that it was made for
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };
  struct Request {
    State state = State::waiting;
    bool held = false;  // in the queue
    valve::Ask ask;
    valve::Plan plan;
    size_t candidate = 0;
    int attempts = 0;
    uint64_t attempt = 0;  // the current one; unique among all
    Instant wake;          // held: the moment that it asked for
    Instant first;
    Outcome outcome;
  };

  Rehearsal(const Trace& trace, const Site& site, const Contender& contender);
  Result<void> configure();
  void run();
  void handle(const Event& event);
  bool is_current(const Event& event) const;
  void at(Instant when, What what, uint32_t subject, uint64_t attempt = 0);

  void arrive(uint32_t id);
  bool decide(uint32_t id, bool in_turn);  // false: it waits on
  void hold(uint32_t id);
  void look_again(uint32_t id, Instant when);
  void serve_queue();
  void start_attempt(uint32_t id);
  void leave_node(uint32_t id, sense::FlightEnd end, const char* why);
  void rescue(uint32_t id);
  void time_out(uint32_t id);
  void finish(uint32_t id, bool served);

  void step(uint32_t node);
  void watch_engine(uint32_t node);
  void hear_first(uint32_t id);
  void hear_last(uint32_t id);
  void scrape();
  sense::NodeState& node_of(const Request& request);
  Engine* engine_of(const Request& request);

  // Fixed after construction.
  const Trace& trace_;
  const Site& site_;
  const Contender& contender_;
  // Changes.
  Instant now_;
  sense::Senses senses_;
  std::vector<std::unique_ptr<Engine>> engines_;  // by node; null: it is steady
  std::vector<bool> stepping_;                    // by node: the end of its step is among events_
  valve::FairQueue queue_;
  std::vector<Request> requests_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t sequence_ = 0;
  uint64_t attempts_ = 0;
  uint64_t draws_ = 0;
  size_t next_arrival_ = 0;
  size_t open_ = 0;
};

}  // namespace sluice::rehearse
