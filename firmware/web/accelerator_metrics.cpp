#include "firmware/web/accelerator_metrics.h"

#include <set>
#include <string_view>
#include <utility>

namespace sluice::web {

using sense::AcceleratorLoad;
using sense::AcceleratorSourceReport;
using sense::AcceleratorSourceState;
using sense::Confidence;
using sense::Figure;

namespace {

struct Family {
  std::string_view name;
  std::string_view help;
  Figure AcceleratorLoad::*figure;
};

constexpr Family kFamilies[] = {
    {"sluice_accelerator_busy_ratio",
     "Share of time in which it computed anything; says little of room left.",
     &AcceleratorLoad::busy},
    {"sluice_accelerator_memory_used_bytes", "Its memory in use.",
     &AcceleratorLoad::memory_used_bytes},
    {"sluice_accelerator_memory_total_bytes", "Its memory.", &AcceleratorLoad::memory_total_bytes},
    {"sluice_accelerator_power_watts", "What it draws.", &AcceleratorLoad::power_w},
    {"sluice_accelerator_temperature_celsius", "Its temperature.", &AcceleratorLoad::temperature_c},
    {"sluice_accelerator_health", "1 if its source says that it is well, 0 if not.",
     &AcceleratorLoad::health},
};

// One accelerator of one source, each once: a series must not stand twice.
struct Row {
  std::string_view source;
  const AcceleratorLoad* load;

  MetricLabels labels() const { return {{"source", source}, {"accelerator", load->id}}; }
};

std::vector<Row> rows_of(const std::vector<AcceleratorSourceReport>& sources) {
  std::vector<Row> rows;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const AcceleratorSourceReport& source : sources) {
    for (const AcceleratorLoad& load : source.accelerators) {
      if (seen.emplace(source.name, load.id).second) rows.push_back({source.name, &load});
    }
  }
  return rows;
}

}  // namespace

void write_accelerators(MetricsText& page, const std::vector<AcceleratorSourceReport>& sources,
                        Instant now) {
  page.family("sluice_accelerator_source_up", "gauge",
              "1 if the source of accelerators answered at the last look.");
  for (const AcceleratorSourceReport& source : sources) {
    const bool up = source.state == AcceleratorSourceState::answers;
    page.sample({{"source", source.name}, {"driver", source.driver}}, up ? 1.0 : 0.0);
  }
  const std::vector<Row> rows = rows_of(sources);
  page.family("sluice_accelerator_info", "gauge", "What each accelerator is.");
  for (const Row& row : rows) {
    MetricLabels labels = row.labels();
    labels.emplace_back("vendor", row.load->vendor);
    labels.emplace_back("model", row.load->name);
    page.sample(labels, 1.0);
  }
  for (const Family& family : kFamilies) {
    page.family(family.name, "gauge", family.help);
    for (const Row& row : rows) {
      const Figure& figure = row.load->*family.figure;
      if (!figure.value || figure.confidence == Confidence::stale) continue;
      page.sample(row.labels(), *figure.value);
    }
  }
  page.family("sluice_accelerator_age_seconds", "gauge", "Age of its newest figure.");
  for (const Row& row : rows) {
    std::optional<Instant> newest;
    for (const Family& family : kFamilies) {
      const Figure& figure = row.load->*family.figure;
      if (figure.value && (!newest || figure.at > *newest)) newest = figure.at;
    }
    if (newest) page.sample(row.labels(), (now - *newest).as_seconds());
  }
}

}  // namespace sluice::web
