#include "firmware/proxy/waiting_room.h"

#include <algorithm>
#include <set>

#include "firmware/base/check.h"

namespace sluice::proxy {

WaitingRoom::WaitingRoom(ports::Clock& clock, ports::Timers& timers, size_t length_max)
    : clock_(clock),
      queue_(length_max),
      poke_(timers.make([this] { on_poke(); })),
      expiry_(timers.make([this] { on_expiry(); })) {}

bool WaitingRoom::enter(valve::Ticket ticket, std::string kind, Waiter& waiter) {
  const uint64_t id = ticket.id;
  if (!queue_.push(std::move(ticket))) return false;
  seats_[id] = {&waiter, std::move(kind)};
  watch_expiry();
  return true;
}

void WaitingRoom::leave(uint64_t id) {
  queue_.remove(id);
  seats_.erase(id);
}

int WaitingRoom::waiting(const std::string& kind) const {
  return static_cast<int>(std::count_if(
      seats_.begin(), seats_.end(), [&](const auto& seat) { return seat.second.kind == kind; }));
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
    if (!waiter->try_to_go()) {
      stuck.insert(kind);
      return false;
    }
    seats_.erase(id);
    return true;
  });
}

void WaitingRoom::on_expiry() {
  for (const uint64_t id : queue_.expired(clock_.now())) {
    const auto seat = seats_.find(id);
    ENSURE(seat != seats_.end());
    Waiter* waiter = seat->second.waiter;
    leave(id);
    waiter->on_waited_too_long();
  }
  watch_expiry();
}

void WaitingRoom::watch_expiry() {
  const std::optional<Instant> next = queue_.next_deadline();
  if (!next) return expiry_->stop();
  expiry_->start(std::max(Duration::ms(1), *next - clock_.now()));
}

}  // namespace sluice::proxy
