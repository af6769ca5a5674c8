// Runs the requests of a load: a closed loop of users, or arrivals of their own accord.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tests/testbed/arrivals.h"
#include "tests/testbed/load_exchange.h"
#include "tests/testbed/load_options.h"
#include "tests/testbed/load_report.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

// An error text when the host has no address.
std::optional<std::string> resolve(const LoadOptions& options, Target* target);

class LoadDriver final : public ExchangeOwner {
 public:
  // A user of the closed loop whom nobody answered comes back after this.
  static constexpr Micros kPause = kSecond / 10;

  using OnRecord = std::function<void(const LoadRequest&, const LoadResult&)>;

  // Without arrivals the loop is closed.
  LoadDriver(Poller& poller, const LoadOptions& options, const Target& target,
             std::unique_ptr<Arrivals> arrivals);
  ~LoadDriver();

  void begin();
  bool finished() const;
  void run_once();
  // Nothing new is started; what is open is left.
  void stop();

  void set_on_record(OnRecord on_record) { on_record_ = std::move(on_record); }
  LoadReport& report() { return report_; }
  std::size_t open() const { return open_.size(); }
  double elapsed_s() const { return to_seconds(poller_.now() - begun_); }

  void on_exchange_end(LoadExchange& exchange) override;

 private:
  bool may_start(Micros at) const;
  void start_users();
  void start_due_arrivals();
  void start_one(const Arrival& arrival, Micros due);
  void settle_ended();
  void continue_user();
  void pause_user();
  int kept_connection();

  Poller& poller_;
  const LoadOptions& options_;
  Target target_;
  std::unique_ptr<Arrivals> arrivals_;
  OnRecord on_record_;

  Micros begun_ = 0;
  bool stopped_ = false;
  int users_started_ = 0;
  int paused_ = 0;
  std::int64_t next_index_ = 0;
  std::optional<Arrival> next_arrival_;
  std::unordered_map<LoadExchange*, std::unique_ptr<LoadExchange>> open_;
  std::vector<std::unique_ptr<LoadExchange>> ended_;
  std::vector<int> kept_;  // idle connections
  LoadReport report_;
};

}  // namespace sluice::testbed
