// Leased capacity joined to the rest of the box: tells it what flows to the clouds, as the meter
// counts it, and makes a cloud node of each lease that serves.
// Order: construct, start. At an upgrade in place it ends with drain(): the successor reads the
// book.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "firmware/capacity/leases.h"
#include "firmware/meter/meter_view.h"
#include "firmware/sense/senses.h"

namespace sluice::box {

// Who makes nodes of leases.
class NodeLender {
 public:
  virtual ~NodeLender() = default;
  virtual void lend(const capacity::LeasedNode& node) = 0;
  virtual void take_back(const std::string& node) = 0;  // no new requests; running ones may end
};

struct LeasedCapacityPorts {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Files& files;
  ports::Random& random;
  ports::LeasePlatform& platform;
  const meter::MeterView& meter;
  sense::Senses& senses;
  NodeLender& lender;
  Log& log;
};

class LeasedCapacity : private capacity::LeasedNodes {
 public:
  static constexpr Duration kFeedGap = Duration::seconds(1);

  LeasedCapacity(LeasedCapacityPorts ports, std::string book_path);
  ~LeasedCapacity() override;

  Result<void> start(const capacity::LeasePolicy& policy);
  const capacity::CapacityView& view() const { return leases_; }
  capacity::CapacityCommands& commands() { return leases_; }

 private:
  struct Price {
    int64_t in_nano = 0;
    int64_t out_nano = 0;
  };

  void on_lease_serves(const capacity::LeasedNode& node) override;
  void on_lease_leaves(const std::string& node) override;
  int in_flight(const std::string& node) const override;
  Duration silent(const std::string& node) const override;

  void on_feed();
  void look();
  std::optional<Price> cheapest_per_token(const std::string& model) const;

  LeasedCapacityPorts ports_;
  capacity::Leases leases_;
  std::unique_ptr<ports::Timer> feed_;
  std::map<meter::NodeModel, std::pair<int64_t, int64_t>> seen_;  // tokens in and out so far
  std::map<std::string, Instant> answered_;  // when last, by node, while it is lent
};

}  // namespace sluice::box
