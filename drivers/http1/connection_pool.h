// The client's connections: those in use, those resting until the next call to the same address,
// and those closed in this turn, which are destroyed in the next.
// Lifetime: calls that are still open when the pool is destroyed never hear of anything again.
#pragma once

#include <memory>
#include <vector>

#include "drivers/http1/connection.h"

namespace sluice::drivers {

inline constexpr size_t kOpenPerOriginMax = 8192;
inline constexpr size_t kOpenTotalMax = 16384;
inline constexpr size_t kRestingPerOriginMax = 128;
inline constexpr size_t kRestingTotalMax = 512;
// Engines close a resting connection after 5 s; one that rests shorter is not lost in that race.
inline constexpr Duration kRestingMax = Duration::seconds(4);
// llama.cpp promises to keep the connection of a stream, and closes it at the stream's end: a
// call sent on it at once would be lost. After so long the close has been seen, on a LAN.
inline constexpr Duration kAfterStreamMin = Duration::ms(20);

class ConnectionPool final : private ConnectionOwner {
 public:
  explicit ConnectionPool(ConnectionPorts& ports);
  ~ConnectionPool() override;

  // A resting connection to the address (the one used last, but for one whose stream just ended)
  // unless `fresh`, or a new one; nullptr when there are too many.
  Http1Connection* take(const ports::Address& address, bool fresh);
  Http1Connection& make(const ports::Address& address);  // beyond any bound: to refuse a call

  size_t open_count() const { return open_.size(); }
  size_t resting_count() const { return resting_total_; }

 private:
  struct Origin {
    ports::Address address;
    size_t open = 0;
    std::vector<Http1Connection*> resting;  // the oldest first
  };

  Origin* find(const ports::Address& address);
  Http1Connection* take_resting(Origin& origin);
  void close_oldest();
  void close_old();
  void on_resting(Http1Connection& connection) override;
  void on_closed(Http1Connection& connection) override;

  ConnectionPorts& ports_;
  std::vector<std::unique_ptr<Origin>> origins_;  // those with a connection
  std::vector<std::unique_ptr<Http1Connection>> open_;
  std::vector<std::unique_ptr<Http1Connection>> closed_;
  size_t resting_total_ = 0;
  std::unique_ptr<ports::Timer> age_timer_;
  std::unique_ptr<ports::Timer> burial_timer_;  // destroys what was closed a turn ago
};

}  // namespace sluice::drivers
