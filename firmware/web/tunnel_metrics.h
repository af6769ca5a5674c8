// The tunnels on the metrics page. What is not known has no series.
#pragma once

#include "firmware/tunnel/tunnel_view.h"
#include "firmware/web/metrics_text.h"

namespace sluice::web {

void write_tunnels(MetricsText& page, const tunnel::TunnelReport& report, Instant now);

}  // namespace sluice::web
