#include "firmware/box/accelerator_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "drivers/accelerators/nvml/nvml_accelerators.h"
#include "drivers/accelerators/sysfs/sysfs_accelerators.h"
#include "firmware/base/check.h"

namespace sluice::box {

using sense::AcceleratorSourceReport;
using sense::AcceleratorSourceState;

namespace {

// What a machine without such accelerators says of itself; of interest only where some are wanted.
bool has_none(const AcceleratorSourceReport& report) {
  return report.accelerators.empty() && (report.state == AcceleratorSourceState::waiting ||
                                         report.state == AcceleratorSourceState::no_library ||
                                         report.state == AcceleratorSourceState::no_device);
}

sense::HostLookTimes host_times(Duration gap) {
  sense::HostLookTimes times;
  times.gap = gap;
  times.gap_max = std::max(times.gap_max, gap);
  times.stale_after = gap * 3;
  return times;
}

}  // namespace

AcceleratorBook::AcceleratorBook(AcceleratorBookPorts ports)
    : ports_(ports), clients_(ports.loop, ports.plain_http) {
  host_settings_.host = settings::HostLook::off;  // nothing is observed yet
}

AcceleratorBook::~AcceleratorBook() = default;

Result<void> check_exporters(const settings::Settings& settings,
                             const sense::DriverCatalog& drivers) {
  for (const settings::ExporterSettings& exporter : settings.live.accelerators.exporters) {
    std::string known;
    bool found = exporter.driver.empty();
    for (const auto& [name, driver] : drivers.accelerators) {
      found = found || name == exporter.driver;
      known += (known.empty() ? "" : ", ") + name;
    }
    if (found) continue;
    return Error{ErrorKind::refused, "settings",
                 fmt::format("accelerators.exporters \"{}\": there is no driver \"{}\"; write one "
                             "of {}, or none: then it is found by the names on the page",
                             exporter.name, exporter.driver, known)};
  }
  return {};
}

void AcceleratorBook::configure(const settings::Settings& settings,
                                std::shared_ptr<const sense::DriverCatalog> drivers) {
  configure_host(settings.live.accelerators);
  const bool same_drivers = drivers_ && drivers_->accelerators == drivers->accelerators;
  drivers_ = std::move(drivers);
  std::vector<Exporter> next;
  for (const settings::ExporterSettings& wanted : settings.live.accelerators.exporters) {
    const auto same = std::find_if(exporters_.begin(), exporters_.end(), [&](const Exporter& one) {
      return same_drivers && one.probe != nullptr && one.settings == wanted;
    });
    next.push_back(same == exporters_.end() ? watch(wanted) : std::move(*same));
  }
  exporters_ = std::move(next);
}

void AcceleratorBook::configure_host(const settings::AcceleratorSettings& settings) {
  const bool restarts = (settings.host == settings::HostLook::off) !=
                            (host_settings_.host == settings::HostLook::off) ||
                        settings.scrape != host_settings_.scrape;
  const std::string library = host_.empty() ? settings.nvml_library : host_settings_.nvml_library;
  host_settings_ = settings;
  host_settings_.nvml_library = library;  // another one only after a restart
  if (!restarts) return;
  host_.clear();
  if (settings.host == settings::HostLook::off) return;
  watch_host(std::make_shared<drivers::NvmlAccelerators>(library), ports_.nvml_work);
  watch_host(std::make_shared<drivers::SysfsAccelerators>(), ports_.sysfs_work);
}

void AcceleratorBook::watch_host(std::shared_ptr<ports::Accelerators> source, ports::Work& work) {
  const size_t index = host_.size();
  host_.push_back(std::make_unique<sense::HostAccelerators>(
      sense::HostAcceleratorPorts{work, ports_.timers, ports_.clock}, std::move(source),
      host_times(host_settings_.scrape),
      [this, index] { tell(host_[index]->report(ports_.clock.now())); }));
  host_.back()->start();
}

AcceleratorBook::Exporter AcceleratorBook::watch(const settings::ExporterSettings& settings) {
  Result<ports::HttpOrigin> origin = ports::parse_origin(settings.url);
  ENSURE(origin.has_value());  // the settings were loaded with kUrlRule
  ports::HttpClient& client = clients_.of(*origin, settings.ca_file);
  Exporter exporter{settings, nullptr};
  exporter.probe = std::make_unique<sense::AcceleratorProbe>(
      sense::ExporterPorts{client, ports_.timers, ports_.clock, ports_.random}, drivers_,
      sense::ExporterPlace{settings.name, std::move(*origin), settings.driver, settings.scrape},
      [this, name = settings.name] {
        for (const Exporter& one : exporters_) {
          if (one.settings.name == name) tell(one.probe->report(ports_.clock.now()));
        }
      });
  exporter.probe->start();
  return exporter;
}

void AcceleratorBook::stop() {
  for (const auto& host : host_) host->stop();
  for (const Exporter& exporter : exporters_) exporter.probe->stop();
}

// Of this machine, with "auto" only what it has; with "on" that it has none, if it has none at all.
std::vector<AcceleratorSourceReport> AcceleratorBook::host_reports(Instant now) const {
  std::vector<AcceleratorSourceReport> all;
  for (const auto& host : host_) all.push_back(host->report(now));
  std::vector<AcceleratorSourceReport> some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some),
               [](const AcceleratorSourceReport& report) { return !has_none(report); });
  return some.empty() && host_settings_.host == settings::HostLook::on ? all : some;
}

std::vector<AcceleratorSourceReport> AcceleratorBook::accelerators(Instant now) const {
  std::vector<AcceleratorSourceReport> reports = host_reports(now);
  for (const Exporter& exporter : exporters_) reports.push_back(exporter.probe->report(now));
  return reports;
}

void AcceleratorBook::tell(const AcceleratorSourceReport& report) const {
  if (report.state != AcceleratorSourceState::answers) {
    const bool expected = has_none(report) && host_settings_.host != settings::HostLook::on;
    const bool is_host = report.name.substr(0, 5) == "host ";
    ports_.log.say(is_host && expected ? LogLevel::debug : LogLevel::warning, "sense",
                   "accelerators of {}: {}: {}", report.name, to_text(report.state), report.why);
    return;
  }
  ports_.log.info("sense", "accelerators of {}: {} told by {}", report.name,
                  report.accelerators.size(), report.driver);
  for (const sense::AcceleratorLoad& load : report.accelerators) {
    if (load.health.value != 0.0) continue;
    ports_.log.warning("sense", "accelerator {} ({}) of {} is not well: {}", load.id, load.name,
                       report.name, load.trouble.empty() ? "its source says so" : load.trouble);
  }
}

}  // namespace sluice::box
