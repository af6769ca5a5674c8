#include "firmware/web/tunnel_json.h"

#include "firmware/web/load_json.h"

namespace sluice::web {

using ports::JsonValue;

namespace {

JsonValue words_value(const tunnel::Words& words) {
  return JsonValue::object({{"en", words.en}, {"zh", words.zh}});
}

JsonValue ms_value(Duration time) { return number_value(static_cast<double>(time.as_us()) / 1e3); }

JsonValue quality_value(const tunnel::PathQuality& quality) {
  return JsonValue::object({{"rtt_ms", ms_value(quality.rtt)},
                            {"rtt_min_ms", ms_value(quality.rtt_min)},
                            {"jitter_ms", ms_value(quality.jitter)},
                            {"loss_out", number_value(quality.loss_out)},
                            {"loss_back", number_value(quality.loss_back)},
                            {"probes", quality.probes}});
}

JsonValue path_value(const tunnel::PathView& path, Instant now) {
  JsonValue value = JsonValue::object({{"name", path.name.text()},
                                       {"uplink", path.name.uplink},
                                       {"pop", path.name.pop},
                                       {"transport", tunnel::to_text(path.name.transport)},
                                       {"interface", tunnel::interface_of(path.number)},
                                       {"state", tunnel::to_text(path.state)},
                                       {"since_ms", (now - path.since).as_ms()},
                                       {"mtu", path.mtu},
                                       {"metered", path.metered}});
  if (path.proof) value.add("proof_age_ms", (now - *path.proof).as_ms());
  if (path.quality.probes > 0) value.add("quality", quality_value(path.quality));
  if (path.bulk.probes > 0) value.add("bulk_quality", quality_value(path.bulk));
  if (path.hold_until > now) value.add("held_ms", (path.hold_until - now).as_ms());
  if (!path.trouble.empty()) {
    value.add("trouble", words_value({path.trouble,
                                      path.trouble_zh.empty() ? path.trouble : path.trouble_zh}));
  }
  return value;
}

JsonValue switch_value(const tunnel::SwitchView& one) {
  JsonValue alternatives = JsonValue::array();
  for (const std::string& text : one.alternatives) alternatives.push(text);
  return JsonValue::object({{"time_ms", one.at.as_us() / 1000},
                            {"traffic", tunnel::to_text(one.traffic)},
                            {"from", one.from},
                            {"to", one.to},
                            {"why", words_value(one.why)},
                            {"gap_ms", ms_value(one.gap)},
                            {"packets_lost", one.packets_lost},
                            {"alternatives", std::move(alternatives)}});
}

}  // namespace

JsonValue tunnels_value(const tunnel::TunnelReport& report, Instant now) {
  JsonValue prefixes = JsonValue::array();
  for (const std::string& prefix : report.prefixes) prefixes.push(prefix);
  JsonValue paths = JsonValue::array();
  for (const tunnel::PathView& path : report.paths) paths.push(path_value(path, now));
  JsonValue classes = JsonValue::array();
  for (const tunnel::ClassView& one : report.classes) {
    classes.push(JsonValue::object({{"traffic", tunnel::to_text(one.traffic)},
                                    {"path", one.path},
                                    {"carries", one.carries},
                                    {"why", words_value(one.why)}}));
  }
  JsonValue switches = JsonValue::array();
  for (const tunnel::SwitchView& one : report.switches) switches.push(switch_value(one));
  JsonValue findings = JsonValue::array();
  for (const tunnel::Words& words : report.findings) findings.push(words_value(words));
  JsonValue value =
      JsonValue::object({{"on", report.on},
                         {"joined", report.joined},
                         {"backend", report.backend},
                         {"network", report.network},
                         {"address", report.address},
                         {"prefixes", std::move(prefixes)},
                         {"paths", std::move(paths)},
                         {"classes", std::move(classes)},
                         {"switches", std::move(switches)},
                         {"switches_total", static_cast<int64_t>(report.switches_total)},
                         {"findings", std::move(findings)}});
  if (report.belt) {
    value.add("stopped_packets",
              JsonValue::object({{"sent", static_cast<int64_t>(report.belt->output_packets)},
                                 {"forwarded", static_cast<int64_t>(report.belt->forward_packets)},
                                 {"came_in", static_cast<int64_t>(report.belt->spoofed_packets)}}));
  }
  return value;
}

JsonValue drill_value(const tunnel::DrillReport& report) {
  JsonValue steps = JsonValue::array();
  for (const tunnel::DrillStep& step : report.steps) {
    steps.push(JsonValue::object({{"traffic", step.traffic},
                                  {"from", step.from},
                                  {"to", step.to},
                                  {"detect_ms", ms_value(step.detect)},
                                  {"switched_ms", ms_value(step.switched)},
                                  {"probes_lost", step.probes_lost},
                                  {"returned", step.returned}}));
  }
  return JsonValue::object({{"passed", report.passed},
                            {"words", words_value({report.en, report.zh})},
                            {"steps", std::move(steps)}});
}

}  // namespace sluice::web
