#include "firmware/sense/accelerator_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/sense/accelerator_reading.h"
#include "firmware/sense/fingerprint.h"

namespace sluice::sense {

namespace {

constexpr double kJitter = 0.1;  // of every gap, either way

Duration wider(Duration gap, int failures) {
  for (int i = 0; i < failures && gap < kExporterBackoffMax; ++i) gap = gap * 2;
  return std::min(gap, kExporterBackoffMax);
}

size_t unwell_among(const AcceleratorSourceReport& report) {
  return static_cast<size_t>(
      std::count_if(report.accelerators.begin(), report.accelerators.end(),
                    [](const AcceleratorLoad& load) { return load.health.value == 0.0; }));
}

}  // namespace

// A page that the origin renews every 30 s is worth a look every 15 s: then what is shown is at
// most half a renewal older than it must be.
ExporterTimes exporter_times(const DriverFacts* driver, Duration scrape) {
  ExporterTimes times;
  const Duration refresh = driver == nullptr ? Duration() : driver->scrape.refresh;
  times.gap = scrape;
  if (scrape.is_zero()) {
    times.gap = refresh.is_zero() ? kExporterGap
                                  : std::clamp(refresh / 2, Duration::seconds(1), kExporterGapMax);
  }
  times.gap = std::max(times.gap, kExporterGapMin);
  if (driver != nullptr) times.gap = std::max(times.gap, driver->scrape.gap_min);
  times.timeout = std::min(times.gap.scaled(0.8), kExporterTimeoutMax);
  times.stale_after = std::max(times.gap, refresh) * 3;
  if (driver != nullptr && !driver->scrape.stale_after.is_zero()) {
    times.stale_after = std::max(driver->scrape.stale_after, times.gap * 2);
  }
  return times;
}

AcceleratorProbe::AcceleratorProbe(ExporterPorts ports,
                                   std::shared_ptr<const DriverCatalog> drivers,
                                   ExporterPlace place, Callback on_change)
    : ports_(ports),
      drivers_(std::move(drivers)),
      place_(std::move(place)),
      on_change_(std::move(on_change)),
      belief_(place_.name, place_.driver),
      driver_(drivers_->accelerator(place_.driver)),
      timer_(ports_.timers.make([this] { on_due(); })) {}

void AcceleratorProbe::start() {
  move_to(State::waiting);
  timer_->start(Duration());
}

void AcceleratorProbe::stop() {
  timer_->stop();
  call_.reset();
  move_to(State::stopped);
}

void AcceleratorProbe::move_to(State next) {
  const bool allowed = next == State::stopped ||
                       (state_ == State::stopped && next == State::waiting) ||
                       (state_ == State::waiting && next == State::asking) ||
                       (state_ == State::asking && next == State::waiting);
  ENSURE(allowed);
  state_ = next;
}

std::vector<std::string> AcceleratorProbe::pages() const {
  std::vector<std::string> pages;
  const auto add = [&pages](const DriverFacts& driver) {
    for (const std::string& page : driver.scrape.pages) {
      if (std::find(pages.begin(), pages.end(), page) == pages.end()) pages.push_back(page);
    }
  };
  if (driver_ != nullptr) {
    add(*driver_);
  } else {
    for (const auto& [name, driver] : drivers_->accelerators) add(driver);
  }
  if (pages.empty()) pages.emplace_back("/metrics");
  return pages;
}

void AcceleratorProbe::on_due() {
  if (driver_ != nullptr && !driver_->no_names.empty()) {
    return take_failure(AcceleratorSourceState::not_supported, driver_->no_names);
  }
  const std::vector<std::string> paths = pages();
  ports::HttpCallSpec spec;
  spec.origin = place_.origin;
  spec.method = "GET";
  spec.target =
      place_.origin.base_path.empty() ? paths[page_ % paths.size()] : place_.origin.base_path;
  spec.fields.set("Accept", "text/plain;version=0.0.4");
  const Duration most = exporter_times(driver_, place_.scrape).timeout;
  spec.timeouts = {.connect = most, .first_byte = most, .idle = most, .total = most};
  spec.body_max = kExpositionBytesMax;
  sieve_ = std::make_unique<PageSieve>(
      driver_ == nullptr ? std::span<const std::string>() : driver_->series_names,
      kExpositionBytesMax);
  status_ = 0;
  move_to(State::asking);
  call_ = ports_.http.call(std::move(spec), *this);
}

void AcceleratorProbe::on_head(const ports::HttpResponseHead& head) {
  status_ = head.status;
  open_metrics_ = says_open_metrics(head.fields.get("Content-Type"));
}

void AcceleratorProbe::on_body(std::string_view bytes) {
  if (!sieve_->feed(bytes)) conclude("its page is larger than is read");
}

void AcceleratorProbe::on_end() { conclude(""); }

void AcceleratorProbe::on_fail(const ports::HttpFailure& failure) {
  if (failure.timed_out) return conclude("no answer in time");
  conclude(failure.error.text.empty() ? "the connection failed" : failure.error.text);
}

void AcceleratorProbe::conclude(std::string failure) {
  call_.reset();
  move_to(State::waiting);
  sieve_->finish();
  if (!failure.empty()) {
    take_failure(AcceleratorSourceState::silent, std::move(failure));
  } else if (status_ < 200 || status_ > 299) {
    ++page_;  // the driver's next one, the next time
    take_failure(AcceleratorSourceState::silent,
                 fmt::format("HTTP {} {}", status_, ports::reason_phrase(status_)));
  } else {
    take_page();
  }
  sieve_.reset();
}

void AcceleratorProbe::take_page() {
  ExpositionLimits limits;
  limits.open_metrics = open_metrics_;
  const Exposition page = parse_exposition(sieve_->text(), limits);
  if (driver_ == nullptr) recognise(page);
  if (driver_ == nullptr) {
    return take_failure(AcceleratorSourceState::unrecognised,
                        "its page has the names of no known exporter; write `driver:` in the "
                        "settings, or add a driver file");
  }
  std::vector<AcceleratorLoad> loads = read_accelerators(page, *driver_, ports_.clock.now());
  if (loads.empty()) {
    std::string why =
        fmt::format("its page tells of no accelerator in the names of {}", driver_->name);
    if (place_.driver.empty()) set_driver(nullptr);  // another exporter may answer there by now
    return take_failure(AcceleratorSourceState::unrecognised, std::move(why));
  }
  failures_ = 0;
  const AcceleratorSourceState before = belief_.state();
  const Duration stale_after = exporter_times(driver_, place_.scrape).stale_after;
  const size_t unwell_before = unwell_among(belief_.report(stale_after, ports_.clock.now()));
  belief_.believe(std::move(loads), ports_.clock.now());
  ask_after(exporter_times(driver_, place_.scrape).gap);
  const size_t unwell = unwell_among(belief_.report(stale_after, ports_.clock.now()));
  if (before != belief_.state() || unwell != unwell_before) on_change_();
}

void AcceleratorProbe::recognise(const Exposition& page) {
  Answers answers;
  answers.page = &page;
  size_t most = 0;
  for (const auto& [name, driver] : drivers_->accelerators) {
    const FingerprintMatch match = fingerprint(answers, driver);
    if (!match.fits || match.strength() <= most) continue;
    most = match.strength();
    set_driver(&driver);
  }
}

void AcceleratorProbe::set_driver(const DriverFacts* driver) {
  driver_ = driver;
  belief_.set_driver(driver == nullptr ? "" : driver->name);
}

void AcceleratorProbe::take_failure(AcceleratorSourceState state, std::string why) {
  const AcceleratorSourceState before = belief_.state();
  belief_.doubt(state, std::move(why));
  ask_after(wider(exporter_times(driver_, place_.scrape).gap, ++failures_));
  if (before != state) on_change_();
}

void AcceleratorProbe::ask_after(Duration gap) {
  const double share = static_cast<double>(ports_.random.next() >> 11) * 0x1.0p-53;  // 0..1
  timer_->start(gap.scaled(1 - kJitter + 2 * kJitter * share));
}

AcceleratorSourceReport AcceleratorProbe::report(Instant now) const {
  return belief_.report(exporter_times(driver_, place_.scrape).stale_after, now);
}

}  // namespace sluice::sense
