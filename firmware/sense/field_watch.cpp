#include "firmware/sense/field_watch.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::sense {

namespace {

// Told from the engine's start, whatever it did since.
constexpr std::array<std::string_view, 7> kAlwaysThere = {
    "running", "waiting", "in_flight", "limit", "kv_usage", "kv_tokens", "loaded_models"};

bool is_always_there(std::string_view field) {
  return std::find(kAlwaysThere.begin(), kAlwaysThere.end(), field) != kAlwaysThere.end();
}

bool is_at_work(const std::vector<FieldReport>& reports) {
  return std::any_of(reports.begin(), reports.end(), [](const FieldReport& report) {
    return (report.field == "running" || report.field == "in_flight") &&
           report.value.value_or(0) > 0;
  });
}

}  // namespace

void FieldWatch::look(const std::vector<FieldReport>& reports, Instant now) {
  const bool at_work = is_at_work(reports);
  fields_.resize(reports.size());
  for (size_t i = 0; i < reports.size(); ++i) {
    const FieldReport& report = reports[i];
    ToldField& told = fields_[i];
    if (told.field != report.field) {
      told = ToldField();
      told.field = report.field;
    }
    const bool was_present = told.is_present;
    told.is_present = report.is_present;
    if (report.is_present) {
      told.is_lost = false;
      if (told.name != report.source) told.name = report.source;
      continue;
    }
    if (was_present) told.since = now;
    if (report.is_unknown) {
      told.is_lost = false;
      continue;
    }
    if (!told.name.empty() && (is_always_there(told.field) || at_work)) told.is_lost = true;
  }
}

}  // namespace sluice::sense
