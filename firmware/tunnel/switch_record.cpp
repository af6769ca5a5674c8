#include "firmware/tunnel/switch_record.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"
#include "firmware/ports/json.h"

namespace sluice::tunnel {

namespace {

constexpr double kPacketsMost = 1e12;  // of one gap; beyond it a rate is no measurement

const PathView* find(const std::vector<PathView>& paths, int number) {
  for (const PathView& path : paths) {
    if (path.number == number) return &path;
  }
  return nullptr;
}

Error broken(const char* text) { return {ErrorKind::broken, "switch record", text}; }

bool read_traffic(std::string_view text, TrafficClass& out) {
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    if (text == to_text(traffic)) {
      out = traffic;
      return true;
    }
  }
  return false;
}

bool read_others(const ports::JsonValue& json, std::vector<SwitchRecord::Other>& out) {
  const ports::JsonValue* others = json.find("others");
  if (others == nullptr || others->as_array() == nullptr) return false;
  for (const ports::JsonValue& item : *others->as_array()) {
    const auto why = parse_why_not(item.text("why"));
    if (!why || out.size() >= kPathsMax) return false;
    out.push_back({std::string(item.text("path")), *why});
  }
  return true;
}

Words death_words(DeathCause cause) {
  switch (cause) {
    case DeathCause::unanswered:
      return {"a burst of probes had no answer", "一串探测均无应答"};
    case DeathCause::carrier_lost:
      return {"its uplink lost carrier", "其上行链路断开"};
    case DeathCause::uplink_gone:
      return {"its uplink is gone", "其上行链路消失"};
    case DeathCause::data_plane_lost:
      return {"its data plane ended", "其数据面进程退出"};
  }
  return {};
}

}  // namespace

SwitchRecord record_of(const Choice& choice, TrafficClass traffic,
                       const std::vector<PathView>& paths, Instant now,
                       std::optional<DeathCause> died, int probes_lost) {
  SwitchRecord record;
  record.traffic = traffic;
  record.reason = choice.reason;
  record.cause = died;
  record.probes_lost = probes_lost;
  if (const PathView* from = find(paths, choice.from)) {
    record.from = from->name.text();
    if (from->proof) record.gap = std::max(now - *from->proof, Duration());
  }
  if (const PathView* to = find(paths, choice.path)) record.to = to->name.text();
  for (const Alternative& other : choice.alternatives) {
    const PathView* path = find(paths, other.path);
    if (path == nullptr || other.why == WhyNot::chosen) continue;
    record.others.push_back({path->name.text(), other.why});
  }
  return record;
}

int64_t packets_in(Duration gap, double packets_per_second) {
  return static_cast<int64_t>(
      std::clamp(gap.as_seconds() * packets_per_second + 0.5, 0.0, kPacketsMost));
}

std::string to_line(const SwitchRecord& record) {
  using ports::JsonValue;
  JsonValue others = JsonValue::array();
  for (const SwitchRecord::Other& other : record.others) {
    others.push(JsonValue::object({{"path", other.path}, {"why", to_text(other.why)}}));
  }
  JsonValue json = JsonValue::object({{"number", static_cast<int64_t>(record.number)},
                                      {"at", to_rfc3339(record.at.as_us())},
                                      {"at_us", record.at.as_us()},
                                      {"class", to_text(record.traffic)},
                                      {"from", record.from},
                                      {"to", record.to},
                                      {"reason", to_text(record.reason)},
                                      {"gap_us", record.gap.as_us()},
                                      {"probes_lost", record.probes_lost},
                                      {"packets_lost", record.packets_lost},
                                      {"drill", record.drill}});
  if (record.cause) json.add("cause", to_text(*record.cause));
  json.add("others", std::move(others));
  return ports::to_json(json);
}

Result<SwitchRecord> parse_switch(std::string_view line) {
  const Result<ports::JsonValue> json = ports::parse_json(line);
  if (!json) return json.error();
  SwitchRecord record;
  const auto reason = parse_reason(json->text("reason"));
  if (!reason) return broken("a reason that is not known");
  if (!read_traffic(json->text("class"), record.traffic)) {
    return broken("a traffic class that is not known");
  }
  if (const std::string_view cause = json->text("cause"); !cause.empty()) {
    record.cause = parse_death_cause(cause);
    if (!record.cause) return broken("a cause that is not known");
  }
  const int64_t number = json->integer("number", -1);
  if (number < 0) return broken("it has no number");
  if (!read_others(*json, record.others)) return broken("its other paths cannot be read");
  record.number = static_cast<uint64_t>(number);
  record.at = Date::from_us(json->integer("at_us"));
  record.from = json->text("from");
  record.to = json->text("to");
  record.reason = *reason;
  record.gap = Duration::us(json->integer("gap_us"));
  record.probes_lost = static_cast<int>(json->integer("probes_lost"));
  record.packets_lost = json->integer("packets_lost", -1);
  record.drill = json->boolean("drill");
  return record;
}

Words explain(const SwitchRecord& record) {
  const Words why = record.cause ? death_words(*record.cause) : explain(record.reason);
  const bool bulk = record.traffic == TrafficClass::bulk;
  if (record.from.empty()) {
    return {fmt::format("{} traffic uses {}: {}", bulk ? "Bulk" : "Interactive", record.to, why.en),
            fmt::format("{}流量使用 {}：{}", bulk ? "批量" : "交互", record.to, why.zh)};
  }
  Words words{
      fmt::format("{} traffic moved from {} to {}: {}; the last answer by the old path was "
                  "{} ms before",
                  bulk ? "Bulk" : "Interactive", record.from, record.to, why.en,
                  record.gap.as_ms()),
      fmt::format("{}流量从 {} 切换到 {}：{}；切换前 {} 毫秒收到旧路径的最后一次应答",
                  bulk ? "批量" : "交互", record.from, record.to, why.zh, record.gap.as_ms())};
  if (record.packets_lost >= 0) {
    words.en += fmt::format("; about {} packets were lost", record.packets_lost);
    words.zh += fmt::format("；估计丢失 {} 个数据包", record.packets_lost);
  }
  return words;
}

}  // namespace sluice::tunnel
