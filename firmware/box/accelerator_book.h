// The accelerators of the settings made real: an observer for each exporter and for each source of
// this machine. Kept up to date when settings change; what did not change is not disturbed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drivers/uv/loop.h"
#include "firmware/base/log.h"
#include "firmware/box/http_clients.h"
#include "firmware/ports/work.h"
#include "firmware/sense/accelerator_probe.h"
#include "firmware/sense/accelerator_view.h"
#include "firmware/sense/driver_catalog.h"
#include "firmware/sense/host_accelerators.h"
#include "firmware/settings/settings.h"

namespace sluice::box {

struct AcceleratorBookPorts {
  drivers::UvLoop& loop;
  ports::Work& nvml_work;  // of its own, each: a look may never return
  ports::Work& sysfs_work;
  ports::HttpClient& plain_http;
  ports::Timers& timers;
  const ports::Clock& clock;
  ports::Random& random;
  Log& log;
};

// Errors: refused, with the exporter and what to do.
Result<void> check_exporters(const settings::Settings& settings,
                             const sense::DriverCatalog& drivers);

class AcceleratorBook final : public sense::AcceleratorView {
 public:
  explicit AcceleratorBook(AcceleratorBookPorts ports);
  ~AcceleratorBook() override;

  void configure(const settings::Settings& settings,
                 std::shared_ptr<const sense::DriverCatalog> drivers);
  void stop();

  std::vector<sense::AcceleratorSourceReport> accelerators(Instant now) const override;

 private:
  struct Exporter {
    settings::ExporterSettings settings;
    std::unique_ptr<sense::AcceleratorProbe> probe;
  };

  void configure_host(const settings::AcceleratorSettings& settings);
  void watch_host(std::shared_ptr<ports::Accelerators> source, ports::Work& work);
  Exporter watch(const settings::ExporterSettings& settings);
  std::vector<sense::AcceleratorSourceReport> host_reports(Instant now) const;
  void tell(const sense::AcceleratorSourceReport& report) const;

  const AcceleratorBookPorts ports_;
  std::shared_ptr<const sense::DriverCatalog> drivers_;  // null before configure()
  HttpClients clients_;
  settings::AcceleratorSettings host_settings_;
  std::vector<std::unique_ptr<sense::HostAccelerators>> host_;
  std::vector<Exporter> exporters_;  // in the order of the settings
};

}  // namespace sluice::box
