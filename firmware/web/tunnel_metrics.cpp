#include "firmware/web/tunnel_metrics.h"

namespace sluice::web {

namespace {

using tunnel::PathView;

struct Family {
  std::string_view name;
  std::string_view help;
  double (*value)(const PathView&);
};

constexpr Family kQualities[] = {
    {"sluice_path_rtt_seconds", "Smoothed round trip inside the tunnel.",
     [](const PathView& path) { return path.quality.rtt.as_seconds(); }},
    {"sluice_path_jitter_seconds", "Mean difference of successive round trips.",
     [](const PathView& path) { return path.quality.jitter.as_seconds(); }},
    {"sluice_path_loss_out_ratio", "Share of probes that did not reach the PoP, last window.",
     [](const PathView& path) { return path.quality.loss_out; }},
    {"sluice_path_loss_back_ratio", "Share of answers that did not come back, last window.",
     [](const PathView& path) { return path.quality.loss_back; }},
};

MetricLabels labels_of(const std::string& name, const PathView& path) {
  return {{"path", name}, {"uplink", path.name.uplink}, {"pop", path.name.pop}};
}

}  // namespace

void write_tunnels(MetricsText& page, const tunnel::TunnelReport& report, Instant now) {
  if (!report.joined) return;
  page.family("sluice_path_up", "gauge", "1 if the path is good or degraded.");
  for (const PathView& path : report.paths) {
    const bool up =
        path.state == tunnel::PathState::good || path.state == tunnel::PathState::degraded;
    const std::string name = path.name.text();
    page.sample(labels_of(name, path), up ? 1.0 : 0.0);
  }
  for (const Family& family : kQualities) {
    page.family(family.name, "gauge", family.help);
    for (const PathView& path : report.paths) {
      if (path.quality.probes == 0) continue;
      const std::string name = path.name.text();
      page.sample(labels_of(name, path), family.value(path));
    }
  }
  page.family("sluice_path_proof_age_seconds", "gauge", "Since the last authentic answer.");
  for (const PathView& path : report.paths) {
    if (!path.proof) continue;
    const std::string name = path.name.text();
    page.sample(labels_of(name, path), (now - *path.proof).as_seconds());
  }
  page.family("sluice_path_carries", "gauge", "1 for the path that carries this traffic class.");
  for (const tunnel::ClassView& one : report.classes) {
    if (one.path.empty()) continue;
    page.sample({{"traffic", tunnel::to_text(one.traffic)}, {"path", one.path}}, 1.0);
  }
  page.family("sluice_path_switches_total", "counter", "Changes of path, all classes.");
  page.sample({}, static_cast<double>(report.switches_total));
  if (!report.belt) return;
  page.family("sluice_tunnel_stopped_packets_total", "counter",
              "Packets of the network outside a tunnel, stopped by the belt; 0 anew with it.");
  page.sample({{"way", "sent"}}, static_cast<double>(report.belt->output_packets));
  page.sample({{"way", "forwarded"}}, static_cast<double>(report.belt->forward_packets));
  page.sample({{"way", "came_in"}}, static_cast<double>(report.belt->spoofed_packets));
}

}  // namespace sluice::web
