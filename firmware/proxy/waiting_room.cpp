#include "firmware/proxy/waiting_room.h"

#include <algorithm>
#include <set>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/valve/plan.h"

namespace sluice::proxy {

WaitingRoom::WaitingRoom(ports::Clock& clock, ports::Timers& timers, size_t length_max)
    : clock_(clock),
      queue_(length_max),
      poke_(timers.make([this] { on_poke(); })),
      clock_timer_(timers.make([this] { on_clock(); })) {}

bool WaitingRoom::enter(valve::Ticket ticket, std::string kind, Waiter& waiter) {
  const uint64_t id = ticket.id;
  const Tokens prompt = ticket.prompt;
  if (!queue_.push(std::move(ticket))) return false;
  Line& line = lines_[kind];
  ++line.count;
  line.prompt = line.prompt + prompt;
  seats_[id] = {&waiter, std::move(kind), prompt, valve::kNever};
  watch_clock();
  return true;
}

void WaitingRoom::leave(uint64_t id) {
  queue_.remove(id);
  remove_seat(id);
}

void WaitingRoom::remove_seat(uint64_t id) {
  const auto seat = seats_.find(id);
  if (seat == seats_.end()) return;
  wakes_.erase({seat->second.wake, id});
  const auto line = lines_.find(seat->second.kind);
  line->second.prompt = line->second.prompt - seat->second.prompt;
  if (--line->second.count == 0) lines_.erase(line);
  seats_.erase(seat);
}

void WaitingRoom::look_again(uint64_t id, Instant at) {
  const auto seat = seats_.find(id);
  if (seat == seats_.end() || seat->second.wake == at) return;
  wakes_.erase({seat->second.wake, id});
  seat->second.wake = at;
  if (at != valve::kNever) wakes_.insert({at, id});
  watch_clock();
}

WaitingRoom::Line WaitingRoom::before(uint64_t id, const std::string& kind) const {
  if (!seats_.contains(id)) {
    const auto all = lines_.find(kind);
    return all == lines_.end() ? Line() : all->second;
  }
  Line line;
  queue_.look([&](const valve::Ticket& ticket) {
    if (ticket.id == id) return false;
    const auto seat = seats_.find(ticket.id);
    if (seat == seats_.end() || seat->second.kind != kind) return true;
    ++line.count;
    line.prompt = line.prompt + ticket.prompt;
    return true;
  });
  return line;
}

void WaitingRoom::poke() {
  if (queue_.size() > 0 && !poke_->is_running()) poke_->start(Duration());
}

void WaitingRoom::on_poke() {
  std::set<std::string> stuck;
  queue_.serve([&](const valve::Ticket& ticket) {
    const auto seat = seats_.find(ticket.id);
    ENSURE(seat != seats_.end());
    if (stuck.contains(seat->second.kind)) return false;
    const std::string kind = seat->second.kind;
    Waiter* waiter = seat->second.waiter;
    const uint64_t id = ticket.id;
    if (!waiter->try_to_go(true)) {
      stuck.insert(kind);
      return false;
    }
    remove_seat(id);
    return true;
  });
}

void WaitingRoom::on_clock() {
  expire();
  wake();
  watch_clock();
}

// Each is asked once; who is not out of the room then has named another moment, or has none.
void WaitingRoom::wake() {
  std::vector<uint64_t> due;
  for (const auto& [at, id] : wakes_) {
    if (at > clock_.now()) break;
    due.push_back(id);
  }
  for (const uint64_t id : due) {
    const auto seat = seats_.find(id);
    if (seat == seats_.end()) continue;
    wakes_.erase({seat->second.wake, id});
    seat->second.wake = valve::kNever;
    if (seat->second.waiter->try_to_go(false)) leave(id);
  }
}

void WaitingRoom::expire() {
  for (const uint64_t id : queue_.expired(clock_.now())) {
    const auto seat = seats_.find(id);
    ENSURE(seat != seats_.end());
    Waiter* waiter = seat->second.waiter;
    leave(id);
    waiter->on_waited_too_long();
  }
}

void WaitingRoom::watch_clock() {
  std::optional<Instant> next = queue_.next_deadline();
  if (!wakes_.empty()) next = std::min(next.value_or(valve::kNever), wakes_.begin()->first);
  if (!next) return clock_timer_->stop();
  clock_timer_->start(std::max(Duration::ms(1), *next - clock_.now()));
}

}  // namespace sluice::proxy
