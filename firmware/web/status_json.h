// The page's figures as JSON. Pure: reports in, text out; every text is one line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/meter/meter_view.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/proxy/shadow_view.h"
#include "firmware/sense/accelerator_view.h"
#include "firmware/sense/sense_view.h"
#include "firmware/tunnel/tunnel_view.h"
#include "firmware/web/box_commands.h"

namespace sluice::web {

struct StatusParts {
  BoxStatus box;
  Date at;
  std::vector<sense::NodeReport> nodes;
  meter::Share share;
  proxy::QueueReport queue;
  std::optional<proxy::ShadowReport> shadow = {};
  std::vector<sense::AcceleratorSourceReport> accelerators = {};
  Instant now = {};  // what their ages are counted to
  tunnel::TunnelReport tunnels = {};
};

// How full the local engines are. A node counts while it is enabled and not down.
struct Water {
  double level = 0;  // in_flight / line; 0 without a line
  int in_flight = 0;
  int line = 0;  // 0 = no local node counts, or one of them has no known limit
};
Water water_of(const std::vector<sense::NodeReport>& nodes);

std::string status_json(const StatusParts& parts);
// {"on":false} if there is none.
std::string shadow_json(const std::optional<proxy::ShadowReport>& shadow,
                        const std::string& currency);
std::string decision_json(const proxy::DecisionReport& decision);
std::string decisions_json(const std::vector<proxy::DecisionReport>& decisions);  // order kept

}  // namespace sluice::web
