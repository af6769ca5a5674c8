#include "firmware/box/rehearsal_text.h"

#include <fmt/format.h>

namespace sluice::box {

using ports::JsonValue;

namespace {

double ms(Duration time) { return static_cast<double>(time.as_us()) / 1e3; }

std::string row(const Rehearsed& one) {
  const rehearse::Score& s = one.score;
  const std::string share =
      s.all_cloud.nano > 0 ? fmt::format("{:.3f}", s.cost_share()) : std::string("-");
  return fmt::format("{:<22} {:>7.2f} {:>7.1f} {:>11.2f} {:>7} {:>8.2f} {:>8.2f} {:>8.1f}\n",
                     one.name, s.kept_share() * 100, s.cloud_share() * 100, s.cost.units(), share,
                     s.ttft_p50.as_seconds(), s.ttft_p99.as_seconds(), ms(s.tpot_p99));
}

}  // namespace

std::string rehearsal_text(const RehearsalHead& head, const std::vector<Rehearsed>& all) {
  std::string text;
  for (const std::string& note : head.notes) text += note + "\n";
  text += fmt::format(
      "{} requests in {:.0f} s, a load of {:.2f}; promised: TTFT {} ms, TPOT {} ms\n\n"
      "{:<22} {:>7} {:>7} {:>11} {:>7} {:>8} {:>8} {:>8}\n"
      "{:<22} {:>7} {:>7} {:>11} {:>7} {:>8} {:>8} {:>8}\n",
      head.requests, head.seconds, head.rho, head.level.ttft_max.as_ms(),
      head.level.tpot_max.as_ms(), "policy", "kept", "cloud", "cost", "of all", "TTFT", "TTFT",
      "TPOT", "", "%", "%", head.currency.text(), "cloud", "p50 s", "p99 s", "p99 ms");
  for (const Rehearsed& one : all) text += row(one);
  return text;
}

JsonValue rehearsal_json(const RehearsalHead& head, const std::vector<Rehearsed>& all) {
  JsonValue policies = JsonValue::array();
  for (const Rehearsed& one : all) {
    const rehearse::Score& s = one.score;
    policies.push(JsonValue::object({{"policy", one.name},
                                     {"kept", s.kept_share()},
                                     {"served", s.served},
                                     {"cloud_share", s.cloud_share()},
                                     {"cost", s.cost.units()},
                                     {"cost_of_all_cloud", s.cost_share()},
                                     {"ttft_ms_p50", ms(s.ttft_p50)},
                                     {"ttft_ms_p99", ms(s.ttft_p99)},
                                     {"tpot_ms_p99", ms(s.tpot_p99)}}));
  }
  JsonValue notes = JsonValue::array();
  for (const std::string& note : head.notes) notes.push(note);
  return JsonValue::object({{"requests", head.requests},
                            {"seconds", head.seconds},
                            {"rho", head.rho},
                            {"currency", head.currency.text()},
                            {"notes", std::move(notes)},
                            {"policies", std::move(policies)}});
}

}  // namespace sluice::box
