// Whether an uplink on which no path lives is behind a captive portal: asked at once, and again
// every kEvery as long as none lives. What was found is forgotten as soon as one does.
// Thread: loop. Lifetime: ends before the ports.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firmware/base/callback.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/streams.h"
#include "firmware/tunnel/captive_portal.h"
#include "firmware/tunnel/uplinks.h"

namespace sluice::tunnel {

// A client for plain HTTP whose connections are the dialer's. It ends before the dialer.
using PlainHttpOf = std::function<std::unique_ptr<ports::HttpClient>(ports::Dialer&)>;

struct PortalWatchPorts {
  const ports::Clock& clock;
  ports::Timers& timers;
  ports::Dialers& dialers;
  PlainHttpOf http;  // none: nothing is asked
};

class PortalWatch {
 public:
  static constexpr Duration kEvery = Duration::seconds(60);  // of one uplink

  // `on_told`: something was found.
  PortalWatch(PortalWatchPorts ports, Callback on_told);
  ~PortalWatch();
  PortalWatch(const PortalWatch&) = delete;
  PortalWatch& operator=(const PortalWatch&) = delete;

  // Once a second. `dead`: names of uplinks on which no path lives. `origin`: of portal_origin().
  void poll(const std::vector<UplinkSeen>& uplinks, const std::set<std::string>& dead,
            const std::optional<ports::HttpOrigin>& origin);
  void forget();
  const PortalFinding* known(const std::string& uplink) const;  // null: nothing was told yet

 private:
  class Asked;

  // Fixed after construction.
  const PortalWatchPorts ports_;
  const Callback on_told_;
  // Changes.
  std::map<std::string, std::unique_ptr<Asked>> asked_;  // by uplink
};

}  // namespace sluice::tunnel
