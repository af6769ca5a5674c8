// Leased capacity as the box holds it: listens to the demand, asks the rule, leads each lease
// through its steps, and keeps the book on disk ahead of every act that costs money.
// A lease exists for the valve only while it serves: LeasedNodes hears of it then, and hears when
// no new request may go there.
// Order: construct, start, then note() as tokens flow. Until the platform has told what it bills,
// nothing new is started; what it bills and the book does not know is closed.
// Errors: a book that cannot be read or written stops new starts, never the closing of what runs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/capacity/capacity_commands.h"
#include "firmware/capacity/capacity_view.h"
#include "firmware/capacity/cloud_flow.h"
#include "firmware/capacity/lease_book.h"
#include "firmware/capacity/lease_rule.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"
#include "firmware/ports/leases.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"

namespace sluice::capacity {

struct LeasedNode {
  std::string name;  // of kLeasesMax names that come again: "leased-1", ...
  std::string model;
  std::string url;
  std::string credential;
  int slots = 0;
  Money price_per_hour;  // what is held is paid for, used or not: a token costs nothing more
};

class LeasedNodes {
 public:
  virtual ~LeasedNodes() = default;
  virtual void on_lease_serves(const LeasedNode& node) = 0;
  virtual void on_lease_leaves(
      const std::string& node) = 0;  // no new requests; running ones may end
  virtual int in_flight(const std::string& node) const = 0;
  // How long it has not answered; zero: it answers, or has not been asked yet.
  virtual Duration silent(const std::string& node) const = 0;
};

struct LeasesPorts {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Files& files;
  ports::Random& random;
  ports::LeasePlatform& platform;
  LeasedNodes& nodes;
  Log& log;
};

class Leases : public CapacityView, public CapacityCommands, public ports::LeaseSink {
 public:
  static constexpr Duration kTick = Duration::seconds(1);
  static constexpr Duration kTickMax = Duration::seconds(10);      // of a late tick, so much counts
  static constexpr Duration kWindow = Duration::seconds(60);       // of the demand
  static constexpr Duration kSilentMax = Duration::seconds(60);    // of a serving instance
  static constexpr Duration kListPeriod = Duration::seconds(300);  // the platform's list, compared
  static constexpr size_t kModelsMax = 64;

  Leases(LeasesPorts ports, std::string book_path);
  ~Leases() override;

  // Errors: broken, if the book cannot be read: nothing is started until a person has looked at it;
  // what the platform bills is left as it is.
  Result<void> start(const LeasePolicy& policy);
  void set_policy(const LeasePolicy& policy) { policy_ = policy; }

  // Tokens that went to any cloud node, leased or not, and what the cheapest per-token node asks
  // for one, in billionths.
  void note(const std::string& model, Tokens prompt, Tokens output, int64_t price_in_nano,
            int64_t price_out_nano);

  CapacityReport report() const override;
  Result<void> agree(std::string_view lease) override;
  Result<void> decline(std::string_view lease) override;

  void on_lease_event(const ports::LeaseEvent& event) override;
  void on_leases_held(const std::vector<std::string>& leases) override;
  void on_platform(bool reachable, std::string_view why) override;

 private:
  struct Model {
    CloudFlow flow{kWindow};
    LeaseRule rule;
    int64_t price_in_nano = 0;
    int64_t price_out_nano = 0;
  };

  void on_tick();
  void watch_nodes(Date now);
  void decide(const std::string& model, Model& state, Date now, Duration dt);
  void want(const ports::LeaseOffer& offer, Model& state, int held, Date now);
  void let_go(const std::string& model, Date now);
  void withdraw_proposals(const std::string& model, const Model& state, int held, Date now);
  std::optional<ports::LeaseOffer> best_offer(const std::string& model) const;
  bool may_start(Date now) const;
  void tell(const std::string& lease, const LeaseNews& news);
  void show_nodes(const Step& step);
  void rest_after_failure(Date now);
  void act(Date now);
  bool save();
  Step* find(std::string_view lease);
  int held(const std::string& model) const;
  int under_way() const;
  std::string free_name() const;

  LeasesPorts ports_;
  std::string path_;
  LeasePolicy policy_;
  LeaseBounds bounds_;
  std::unique_ptr<ports::Timer> tick_;

  LeaseBook book_;
  std::map<std::string, Model> models_;
  std::map<std::string, std::string> names_;  // lease -> its node's name, while it serves or drains
  Instant ticked_;
  Instant listed_;
  bool readable_ = false;  // the book
  bool saved_ = true;      // as it is now
  bool reachable_ = true;
  bool told_ = false;  // the platform has said what it bills
  std::string trouble_;
};

}  // namespace sluice::capacity
