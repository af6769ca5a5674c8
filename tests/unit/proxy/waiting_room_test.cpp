#include "firmware/proxy/waiting_room.h"

#include <doctest/doctest.h>

#include <deque>
#include <vector>

#include "tests/script/sim_time.h"

namespace sluice::proxy {

namespace {

using Names = std::vector<std::string>;

struct Room {
  struct Guest : Waiter {
    Guest(Room& in, uint64_t number) : room(in), id(number) {}
    bool try_to_go(bool) override {
      room.asked.push_back(std::to_string(id));
      return may_go;
    }
    void on_waited_too_long() override {
      room.expired.push_back(std::to_string(id));
      expired_at = room.clock.now();
    }
    Room& room;
    uint64_t id;
    bool may_go = true;
    Instant expired_at;
  };

  Guest& seat(uint64_t id, std::string kind, valve::Priority priority = valve::Priority::normal,
              Duration wait = Duration::seconds(60), std::string key = "k") {
    Guest& guest = guests.emplace_back(*this, id);
    guest.may_go = !engine_full;
    entered = room.enter({id, std::move(key), priority, Tokens{100}, clock.now() + wait},
                         std::move(kind), guest);
    return guest;
  }

  script::SimClock clock;
  script::SimTimers timers{clock};
  WaitingRoom room{clock, timers, 3};
  std::deque<Guest> guests;
  Names asked;
  Names expired;
  bool entered = false;
  bool engine_full = false;
};

}  // namespace

TEST_CASE("waiting room: a poke asks in a later turn, in the queue's order") {
  Room w;
  w.seat(1, "a", valve::Priority::low);
  w.seat(2, "a");
  w.seat(3, "a", valve::Priority::high);
  w.room.poke();
  CHECK(w.asked.empty());
  w.timers.settle();
  CHECK(w.asked == Names{"3", "2", "1"});
  CHECK(w.room.length() == 0);
}

TEST_CASE("waiting room: several pokes in one turn ask once") {
  Room w;
  w.engine_full = true;
  w.seat(1, "a");
  w.room.poke();
  w.room.poke();
  w.timers.settle();
  CHECK(w.asked == Names{"1"});
  CHECK(w.room.length() == 1);
}

TEST_CASE("waiting room: keys take turns, whatever one of them has piled up") {
  Room w;
  const auto wait = Duration::seconds(60);
  w.seat(1, "a", valve::Priority::normal, wait, "flood");
  w.seat(2, "a", valve::Priority::normal, wait, "flood");
  w.seat(3, "a", valve::Priority::normal, wait, "quiet");
  w.room.poke();
  w.timers.settle();
  CHECK(w.asked == Names{"1", "3", "2"});
}

TEST_CASE("waiting room: one that cannot go stands for its kind, not for the others") {
  Room w;
  w.seat(1, "big").may_go = false;
  w.seat(2, "big");
  w.seat(3, "small");
  w.room.poke();
  w.timers.settle();
  CHECK(w.asked == Names{"1", "3"});
  CHECK(w.room.length() == 2);
}

TEST_CASE("waiting room: who has waited too long hears it exactly at the deadline") {
  Room w;
  const Instant start = w.clock.now();
  Room::Guest& late = w.seat(1, "a", valve::Priority::normal, Duration::ms(2500));
  Room::Guest& early = w.seat(2, "a", valve::Priority::normal, Duration::ms(700));
  w.timers.pass(Duration::us(699'999));
  CHECK(w.expired.empty());
  w.timers.pass(Duration::seconds(5));
  CHECK(w.expired == Names{"2", "1"});
  CHECK(early.expired_at == start + Duration::ms(700));
  CHECK(late.expired_at == start + Duration::ms(2500));
  CHECK(w.room.length() == 0);
}

TEST_CASE("waiting room: who left or went is not told of the deadline") {
  Room w;
  w.seat(1, "a", valve::Priority::normal, Duration::ms(50));
  w.seat(2, "b", valve::Priority::normal, Duration::ms(50)).may_go = false;
  w.room.poke();
  w.timers.settle();
  w.room.leave(2);
  w.room.leave(2);  // no effect
  w.timers.pass(Duration::seconds(1));
  CHECK(w.expired.empty());
}

TEST_CASE("waiting room: it is bounded, and who leaves makes room") {
  Room w;
  for (uint64_t id = 1; id <= 3; ++id) {
    w.seat(id, "a");
    CHECK(w.entered);
  }
  w.seat(4, "a");
  CHECK_FALSE(w.entered);
  CHECK(w.room.queue().length == 3);
  CHECK(w.room.queue().length_max == 3);
  w.room.leave(2);
  w.seat(5, "a");
  CHECK(w.entered);
}

TEST_CASE("waiting room: the refused one is never called") {
  Room w;
  for (uint64_t id = 1; id <= 4; ++id) w.seat(id, "a", valve::Priority::normal, Duration::ms(9));
  w.room.poke();
  w.timers.pass(Duration::seconds(1));
  CHECK(w.asked == Names{"1", "2", "3"});
  CHECK(w.expired.empty());
}

}  // namespace sluice::proxy
