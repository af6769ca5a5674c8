#include "firmware/sense/accelerator_reading.h"

#include <array>
#include <map>
#include <string>

#include "firmware/sense/fingerprint.h"
#include "firmware/sense/series_groups.h"

namespace sluice::sense {

namespace {

using FigureOf = Figure AcceleratorLoad::*;
constexpr std::array<FigureOf, kAcceleratorFieldCount> kFigures = {
    &AcceleratorLoad::busy,
    &AcceleratorLoad::memory_used_bytes,
    &AcceleratorLoad::memory_total_bytes,
    &AcceleratorLoad::power_w,
    &AcceleratorLoad::temperature_c,
    &AcceleratorLoad::health};

}  // namespace

std::vector<AcceleratorLoad> read_accelerators(const Exposition& page, const DriverFacts& facts,
                                               Instant at) {
  const std::string prefix = prefix_on(page, facts);
  std::vector<AcceleratorLoad> loads;
  for (SeriesGroup& group : group_by_device(page, facts, prefix)) {
    AcceleratorLoad load;
    for (size_t i = 0; i < kAcceleratorFieldCount; ++i) {
      const FieldReport report =
          report_device({page, group.samples, prefix}, facts, static_cast<AcceleratorField>(i));
      load.*kFigures[i] = figure_of(report, at);
    }
    load.id = std::move(group.id);
    load.name = std::move(group.name);
    load.vendor = facts.vendor;
    loads.push_back(std::move(load));
  }
  return loads;
}

void keep_ages(const std::vector<AcceleratorLoad>& before, std::vector<AcceleratorLoad>& after) {
  std::map<std::string_view, const AcceleratorLoad*> earlier;
  for (const AcceleratorLoad& load : before) earlier.emplace(load.id, &load);
  for (AcceleratorLoad& load : after) {
    const auto found = earlier.find(load.id);
    if (found == earlier.end()) continue;
    for (const FigureOf figure : kFigures) {
      const Figure& old = found->second->*figure;
      Figure& now = load.*figure;
      if (now.stamp_ms && now.stamp_ms == old.stamp_ms && now.source == old.source) now.at = old.at;
    }
  }
}

void mark_stale(AcceleratorLoad& load, Duration stale_after, Instant now) {
  for (const FigureOf figure : kFigures) mark_stale(load.*figure, stale_after, now);
}

}  // namespace sluice::sense
