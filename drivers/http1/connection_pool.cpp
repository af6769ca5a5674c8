#include "drivers/http1/connection_pool.h"

#include <algorithm>
#include <iterator>

namespace sluice::drivers {

namespace {

// The port first: it is one comparison, and differs often.
bool is_same(const ports::Address& a, const ports::Address& b) {
  return a.port == b.port && a.host == b.host && a.unix_path == b.unix_path;
}

}  // namespace

ConnectionPool::ConnectionPool(ConnectionPorts& ports)
    : ports_(ports),
      age_timer_(ports.timers.make([this] { close_old(); })),
      burial_timer_(ports.timers.make([this] { closed_.clear(); })) {}

ConnectionPool::~ConnectionPool() = default;

ConnectionPool::Origin* ConnectionPool::find(const ports::Address& address) {
  for (const auto& origin : origins_) {
    if (is_same(origin->address, address)) return origin.get();
  }
  return nullptr;
}

Http1Connection* ConnectionPool::take(const ports::Address& address, bool fresh) {
  Origin* origin = find(address);
  if (origin != nullptr && !fresh) {
    if (Http1Connection* resting = take_resting(*origin)) return resting;
    origin = find(address);  // its last connection may have been too old
  }
  if (open_.size() >= kOpenTotalMax && resting_total_ > 0) close_oldest();
  if (open_.size() >= kOpenTotalMax) return nullptr;
  if (origin != nullptr && origin->open >= kOpenPerOriginMax) {
    if (origin->resting.empty()) return nullptr;
    origin->resting.front()->close();
  }
  return &make(address);
}

Http1Connection* ConnectionPool::take_resting(Origin& origin) {
  if (origin.resting.empty()) return nullptr;
  Http1Connection* newest = origin.resting.back();
  if (newest->resting_since() + kRestingMax <= ports_.clock.now()) {
    close_old();
    return nullptr;
  }
  const Instant now = ports_.clock.now();
  const auto found = std::find_if(origin.resting.rbegin(), origin.resting.rend(), [&](auto* one) {
    return !one->rests_after_stream() || one->resting_since() + kAfterStreamMin <= now;
  });
  if (found == origin.resting.rend() || (*found)->resting_since() + kRestingMax <= now) {
    return nullptr;
  }
  Http1Connection* taken = *found;
  origin.resting.erase(std::next(found).base());
  --resting_total_;
  return taken;
}

Http1Connection& ConnectionPool::make(const ports::Address& address) {
  Origin* origin = find(address);
  if (origin == nullptr) {
    origins_.push_back(std::make_unique<Origin>());
    origin = origins_.back().get();
    origin->address = address;
  }
  ++origin->open;
  ConnectionOwner& owner = *this;
  open_.push_back(std::make_unique<Http1Connection>(ports_, owner, address));
  return *open_.back();
}

void ConnectionPool::on_resting(Http1Connection& connection) {
  Origin* origin = find(connection.address());
  ENSURE(origin != nullptr);
  origin->resting.push_back(&connection);
  ++resting_total_;
  if (origin->resting.size() > kRestingPerOriginMax) origin->resting.front()->close();
  if (resting_total_ > kRestingTotalMax) close_oldest();
  if (!age_timer_->is_running()) age_timer_->start(kRestingMax);
}

void ConnectionPool::on_closed(Http1Connection& connection) {
  Origin* origin = find(connection.address());
  ENSURE(origin != nullptr);
  resting_total_ -= std::erase(origin->resting, &connection);
  if (--origin->open == 0) {
    std::erase_if(origins_, [origin](const auto& one) { return one.get() == origin; });
  }
  const auto at = std::find_if(open_.begin(), open_.end(),
                               [&connection](const auto& one) { return one.get() == &connection; });
  ENSURE(at != open_.end());
  closed_.push_back(std::move(*at));
  *at = std::move(open_.back());
  open_.pop_back();
  if (!burial_timer_->is_running()) burial_timer_->start(Duration());
}

void ConnectionPool::close_oldest() {
  Http1Connection* oldest = nullptr;
  for (const auto& origin : origins_) {
    if (origin->resting.empty()) continue;
    Http1Connection* candidate = origin->resting.front();
    if (oldest == nullptr || candidate->resting_since() < oldest->resting_since()) {
      oldest = candidate;
    }
  }
  if (oldest != nullptr) oldest->close();
}

void ConnectionPool::close_old() {
  const Instant now = ports_.clock.now();
  std::vector<Http1Connection*> old;
  std::optional<Instant> oldest_left;
  for (const auto& origin : origins_) {
    for (Http1Connection* connection : origin->resting) {
      if (connection->resting_since() + kRestingMax <= now) {
        old.push_back(connection);
      } else if (!oldest_left || connection->resting_since() < *oldest_left) {
        oldest_left = connection->resting_since();
      }
    }
  }
  for (Http1Connection* connection : old) connection->close();
  if (oldest_left) age_timer_->start(*oldest_left + kRestingMax - now);
}

}  // namespace sluice::drivers
