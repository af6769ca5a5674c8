#include "firmware/tunnel/netcheck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "firmware/base/check.h"
#include "firmware/tunnel/netcheck_lines.h"

namespace sluice::tunnel {

namespace {

constexpr int kWireGuardBytes = 32;  // type, reserved, receiver, counter, tag

struct Span {
  int64_t number = 0;
  const char* en = "";
  const char* zh = "";
};

Span span_of(Duration time) {
  const int64_t seconds = (std::llabs(time.as_us()) + 500'000) / 1'000'000;
  if (seconds < 120) return {seconds, "s", "秒"};
  if (seconds < 2 * 3600) return {(seconds + 30) / 60, "min", "分钟"};
  if (seconds < 2 * 86400) return {(seconds + 1800) / 3600, "h", "小时"};
  return {(seconds + 43200) / 86400, "days", "天"};
}

void append(std::vector<NetcheckLine>& lines, std::vector<NetcheckLine> more) {
  for (NetcheckLine& line : more) lines.push_back(std::move(line));
}

}  // namespace

const char* to_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok:
      return "ok";
    case Verdict::warn:
      return "warn";
    case Verdict::fail:
      return "fail";
    case Verdict::unknown:
      return "unknown";
  }
  ENSURE(false);
}

int Netcheck::count(Verdict verdict) const {
  return static_cast<int>(std::count_if(
      lines.begin(), lines.end(), [verdict](const auto& line) { return line.verdict == verdict; }));
}

int inner_mtu(int outer, IpAddress::Family family) {
  const int headers = family == IpAddress::Family::v4 ? 20 + 8 : 40 + 8;
  return std::max(0, outer - headers - kWireGuardBytes);
}

double ms(Duration time) { return static_cast<double>(time.as_us()) / 1000.0; }

std::string ms_text(Duration time) {
  const double value = ms(time);
  if (value >= 1000) return fmt::format("{:.1f} s", value / 1000);
  return value >= 100 ? fmt::format("{:.0f} ms", value) : fmt::format("{:.1f} ms", value);
}

std::string span_text(Duration time) {
  const int64_t us = std::llabs(time.as_us());
  if (us < 10'000'000) return ms_text(Duration::us(us));
  const Span span = span_of(time);
  return fmt::format("{} {}", span.number, span.en);
}

std::string span_text_zh(Duration time) {
  const int64_t us = std::llabs(time.as_us());
  if (us < 1'000'000) return fmt::format("{} 毫秒", us / 1000);
  if (us < 10'000'000) return fmt::format("{:.1f} 秒", static_cast<double>(us) / 1e6);
  const Span span = span_of(time);
  return fmt::format("{} {}", span.number, span.zh);
}

bool udp_answers(const UplinkEvidence& uplink) {
  return uplink.probe && (uplink.probe->reaches(IpAddress::Family::v4) ||
                          uplink.probe->reaches(IpAddress::Family::v6));
}

bool shim_answers(const UplinkEvidence& uplink) {
  return std::any_of(uplink.shims.begin(), uplink.shims.end(),
                     [](const auto& one) { return one.finding.answered; });
}

Netcheck judge_network(const NetcheckEvidence& evidence) {
  Netcheck check;
  check.lines = box_lines(evidence);
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    append(check.lines, uplink_lines(evidence, uplink));
  }
  append(check.lines, pop_lines(evidence));
  return check;
}

}  // namespace sluice::tunnel
