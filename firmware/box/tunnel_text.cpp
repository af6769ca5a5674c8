#include "firmware/box/tunnel_text.h"

#include <fmt/format.h>

#include "firmware/base/text.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

const JsonValue::Array& list(const JsonValue& value, const char* name) {
  static const JsonValue::Array kNone;
  const JsonValue* found = value.find(name);
  return found == nullptr || found->as_array() == nullptr ? kNone : *found->as_array();
}

std::string words(const JsonValue& value, const char* name, bool chinese) {
  const JsonValue* found = name == nullptr ? &value : value.find(name);
  if (found == nullptr) return "";
  return std::string(found->text(chinese ? "zh" : "en"));
}

std::string age(int64_t ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 120'000) return fmt::format("{} s", ms / 1000);
  if (ms < 7'200'000) return fmt::format("{} min", ms / 60'000);
  return fmt::format("{} h", ms / 3'600'000);
}

// "interactive", "bulk": the classes whose traffic the path has now.
std::string carried(const JsonValue& tunnels, std::string_view path) {
  std::string text;
  for (const JsonValue& one : list(tunnels, "classes")) {
    if (one.text("path") != path) continue;
    text += (text.empty() ? "" : "+") + std::string(one.text("traffic"));
  }
  return text;
}

std::string path_line(const JsonValue& tunnels, const JsonValue& path, bool chinese) {
  std::string figures;
  if (const JsonValue* quality = path.find("quality")) {
    figures = fmt::format("{:>6.1f} ms {:>5.1f}/{:.1f} %", quality->number("rtt_ms"),
                          quality->number("loss_out") * 100, quality->number("loss_back") * 100);
  }
  std::string line =
      fmt::format("  {:<24} {:<6} {:<9} {:>7} {:<22} {:>5}  {}\n", path.text("name"),
                  path.text("interface"), path.text("state"), age(path.integer("since_ms")),
                  figures, path.integer("mtu"), carried(tunnels, path.text("name")));
  const std::string trouble = words(path, "trouble", chinese);
  if (!trouble.empty()) line += fmt::format("      {}\n", trouble);
  if (path.integer("held_ms") > 0) {
    line += fmt::format("      failed repeatedly: not chosen for {} more\n",
                        age(path.integer("held_ms")));
  }
  return line;
}

std::string switch_line(const JsonValue& one, bool chinese) {
  const std::string_view from = one.text("from");
  std::string line = fmt::format("  {} {:<11} {} -> {}  gap {:.0f} ms, {} probes lost: {}\n",
                                 to_rfc3339(one.integer("time_ms") * 1000), one.text("traffic"),
                                 from.empty() ? "-" : from, one.text("to"), one.number("gap_ms"),
                                 one.integer("packets_lost"), words(one, "why", chinese));
  for (const JsonValue& other : list(one, "alternatives")) {
    if (other.as_text() != nullptr) line += fmt::format("      not {}\n", *other.as_text());
  }
  return line;
}

std::string head(const JsonValue& tunnels) {
  if (!tunnels.boolean("on")) return "tunnels are off (setting tunnel.mode)\n";
  if (!tunnels.boolean("joined")) {
    return "this box has not joined a compute network: sluiced tunnel join, or import\n";
  }
  std::string prefixes;
  for (const JsonValue& prefix : list(tunnels, "prefixes")) {
    if (prefix.as_text() != nullptr) prefixes += " " + *prefix.as_text();
  }
  return fmt::format("network {}: {} here, reaches{}; WireGuard by {}\n", tunnels.text("network"),
                     tunnels.text("address"), prefixes, tunnels.text("backend"));
}

}  // namespace

std::string tunnel_text(const JsonValue& tunnels, bool chinese) {
  std::string text = head(tunnels);
  for (const JsonValue& finding : list(tunnels, "findings")) {
    text += fmt::format("! {}\n", words(finding, nullptr, chinese));
  }
  const JsonValue* stopped = tunnels.find("stopped_packets");
  if (stopped != nullptr &&
      stopped->integer("sent") + stopped->integer("forwarded") + stopped->integer("came_in") > 0) {
    text += fmt::format(
        "packets outside a tunnel that were stopped: {} sent, {} forwarded, {} came in\n",
        stopped->integer("sent"), stopped->integer("forwarded"), stopped->integer("came_in"));
  }
  if (list(tunnels, "paths").empty()) return text;
  text += fmt::format("  {:<24} {:<6} {:<9} {:>7} {:<22} {:>5}  {}\n", "path", "if", "state",
                      "since", "   rtt    loss out/back", "mtu", "carries");
  for (const JsonValue& path : list(tunnels, "paths")) {
    text += path_line(tunnels, path, chinese);
  }
  for (const JsonValue& one : list(tunnels, "classes")) {
    text += fmt::format("{}: {}\n", one.text("traffic"), words(one, "why", chinese));
  }
  if (list(tunnels, "switches").empty()) return text;
  text += fmt::format("switches, {} in all:\n", tunnels.integer("switches_total"));
  for (const JsonValue& one : list(tunnels, "switches")) text += switch_line(one, chinese);
  return text;
}

std::string drill_text(const JsonValue& report, bool chinese) {
  std::string text;
  for (const JsonValue& step : list(report, "steps")) {
    const std::string_view to = step.text("to");
    text += fmt::format(
        "  {:<11} {} -> {}: noticed after {:.0f} ms, moved after {:.0f} ms, {} probes lost, {}\n",
        step.text("traffic"), step.text("from"), to.empty() ? "nothing" : to,
        step.number("detect_ms"), step.number("switched_ms"), step.integer("probes_lost"),
        step.boolean("returned") ? "returned" : "not returned");
  }
  return text + words(report, "words", chinese) + "\n";
}

}  // namespace sluice::box
