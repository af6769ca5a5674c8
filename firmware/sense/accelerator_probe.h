// The observation of one exporter of accelerators: one request at a time, a bound on every page, a
// timeout shorter than the pace, wider gaps while it fails. Whose page it is shows by its names,
// unless the settings say it.
//
// stopped -> waiting   start()
// waiting -> asking    the next look is due
// asking  -> waiting   answered or failed
// any     -> stopped   stop()
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/callback.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/sense/accelerator_belief.h"
#include "firmware/sense/driver_catalog.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/page_sieve.h"

namespace sluice::sense {

inline constexpr Duration kExporterGapMin = Duration::ms(250);  // shorter settings are not obeyed
inline constexpr Duration kExporterGap =
    Duration::seconds(5);  // where neither driver nor settings say
inline constexpr Duration kExporterGapMax = Duration::seconds(15);      // that a driver asks for
inline constexpr Duration kExporterBackoffMax = Duration::seconds(60);  // while it fails
inline constexpr Duration kExporterTimeoutMax = Duration::seconds(10);

struct ExporterPorts {
  ports::HttpClient& http;
  ports::Timers& timers;
  const ports::Clock& clock;
  ports::Random& random;
};

struct ExporterPlace {
  std::string name;
  ports::HttpOrigin origin;  // its base path, if it has one, is the page's
  std::string driver;        // empty: found by fingerprint
  Duration scrape;           // zero: as the driver says
};

// How often this exporter is asked, and how old its figures may grow. Pure.
struct ExporterTimes {
  Duration gap;
  Duration timeout;
  Duration stale_after;
};
ExporterTimes exporter_times(const DriverFacts* driver, Duration scrape);

class AcceleratorProbe final : private ports::HttpCallSink {
 public:
  // `on_change`: its state is another one, or a device is no longer well, or is again. Never called
  // inside start() or stop(); it may not destroy this.
  AcceleratorProbe(ExporterPorts ports, std::shared_ptr<const DriverCatalog> drivers,
                   ExporterPlace place, Callback on_change);
  ~AcceleratorProbe() override = default;
  AcceleratorProbe(const AcceleratorProbe&) = delete;
  AcceleratorProbe& operator=(const AcceleratorProbe&) = delete;

  void start();
  void stop();
  AcceleratorSourceReport report(Instant now) const;

 private:
  enum class State { stopped, waiting, asking };

  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

  void move_to(State next);
  void on_due();
  void ask_after(Duration gap);
  void conclude(std::string failure);
  void take_page();
  void take_failure(AcceleratorSourceState state, std::string why);
  void recognise(const Exposition& page);
  void set_driver(const DriverFacts* driver);
  std::vector<std::string> pages() const;

  // Fixed after construction.
  const ExporterPorts ports_;
  const std::shared_ptr<const DriverCatalog> drivers_;
  const ExporterPlace place_;
  const Callback on_change_;

  // Changes.
  State state_ = State::stopped;
  AcceleratorBelief belief_;
  const DriverFacts* driver_ = nullptr;  // of drivers_; null: not yet found
  std::unique_ptr<ports::Timer> timer_;
  std::unique_ptr<ports::HttpCall> call_;
  std::unique_ptr<PageSieve> sieve_;  // of the page that comes
  bool open_metrics_ = false;
  int status_ = 0;
  size_t page_ = 0;  // which of pages() is asked
  int failures_ = 0;
};

}  // namespace sluice::sense
