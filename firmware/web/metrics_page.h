// GET /metrics for Prometheus. Names of generative AI figures follow the OpenTelemetry semantic
// conventions (gen_ai.client.token.usage, gen_ai.server.*), written the Prometheus way.
// No label tells who asked: names and ids of keys stay inside.
#pragma once

#include <string>
#include <vector>

#include "firmware/meter/meter_view.h"
#include "firmware/ports/http_service.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/sense/accelerator_view.h"
#include "firmware/sense/sense_view.h"
#include "firmware/web/box_commands.h"
#include "firmware/web/web_world.h"

namespace sluice::web {

struct MetricsParts {
  BoxStatus box;
  ProcessFigures process;
  std::vector<sense::NodeReport> nodes;
  proxy::QueueReport queue;
  size_t unstored_rows = 0;
  Money spent_this_month;
  proxy::ExtraReport extras;
  std::vector<sense::AcceleratorSourceReport> accelerators = {};
  Instant now = {};  // what their ages are counted to
  tunnel::TunnelReport tunnels = {};
};

// Pure.
std::string metrics_text(const MetricsParts& parts,
                         const std::map<meter::NodeModel, meter::NodeModelTotals>& totals);

class MetricsPage : public ports::HttpService {
 public:
  explicit MetricsPage(WebWorld world) : world_(world) {}

  // Answers any path: whoever routes here has looked at it.
  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead& head,
                                            const ports::HttpPeer& peer,
                                            ports::HttpAnswer& answer) override;

 private:
  WebWorld world_;
};

}  // namespace sluice::web
