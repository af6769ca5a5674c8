// The tunnels with what they need of this machine, and what they mean for the nodes behind them.
// Order: construct, configure, start; stop() when a successor takes over.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "drivers/http1/http1_parsers.h"
#include "drivers/netlink/kernel_links.h"
#include "drivers/os/calendar.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/datagrams.h"
#include "drivers/uv/dialers.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/names.h"
#include "drivers/uv/programs.h"
#include "drivers/uv/timers.h"
#include "firmware/box/http_clients.h"
#include "firmware/ports/files.h"
#include "firmware/sense/senses.h"
#include "firmware/settings/settings.h"
#include "firmware/tunnel/site_tunnels.h"

namespace sluice::box {

struct TunnelPartsPorts {
  drivers::UvLoop& loop;
  drivers::UvClock& clock;
  drivers::UvTimers& timers;
  drivers::OsCalendar& calendar;
  ports::Files& files;
  ports::Secrets& secrets;
  ports::Random& random;
  ports::HttpClient& plain_http;
  sense::Senses& senses;
  Log& log;
};

tunnel::SiteSettings site_settings(const settings::TunnelSettings& settings);

class TunnelParts : private tunnel::CarriageSink {
 public:
  // After an upgrade the process before this one still looks after the tunnels for a moment.
  static constexpr Duration kSuccessorWait = Duration::seconds(2);

  // `on_changed`: requests that wait may find a place now.
  TunnelParts(const TunnelPartsPorts& ports, const settings::Settings& settings,
              Callback on_changed);
  ~TunnelParts() override;

  // Live settings, and the nodes that may lie behind the tunnels.
  void configure(const settings::Settings& settings);
  void start(bool after_another);
  void stop();
  tunnel::SiteTunnels& site() { return *site_; }

 private:
  void on_carriage_changed() override;

  // Fixed after construction.
  const TunnelPartsPorts ports_;
  const Callback on_changed_;
  drivers::KernelLinks links_;
  drivers::UvDatagrams datagrams_;
  drivers::UvDialers dialers_;
  drivers::UvPrograms programs_;
  drivers::UvNames names_;
  HttpClients clients_;
  drivers::Http1Parsers parsers_;
  std::unique_ptr<ports::WireGuard> wireguard_;
  std::unique_ptr<tunnel::SiteTunnels> site_;
  std::unique_ptr<ports::Timer> start_;
  // Changes.
  std::vector<settings::NodeSettings> nodes_;
};

}  // namespace sluice::box
