// The accelerators on the metrics page. What is not told, or is stale, has no series: its age has.
#pragma once

#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/accelerator_view.h"
#include "firmware/web/metrics_text.h"

namespace sluice::web {

void write_accelerators(MetricsText& page,
                        const std::vector<sense::AcceleratorSourceReport>& sources, Instant now);

}  // namespace sluice::web
