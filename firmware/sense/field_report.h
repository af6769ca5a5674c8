// The fields of one driver, read from what an engine or exporter answered, each with the name that
// told it: what the valve reads, what `sluiced probe` shows, what the self-test compares. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/load.h"

namespace sluice::sense {

// Cumulative since the engine's start, summed over all its series.
struct Histogram {
  double sum = 0;
  double count = 0;                                // all observations, the bucket +Inf
  std::vector<std::pair<double, double>> buckets;  // finite bound, observations <= it; rising
  bool operator==(const Histogram&) const = default;
};

struct DocumentAnswer {
  std::string_view path;
  const ports::JsonValue* json = nullptr;
  std::optional<Instant> at = {};  // when it came; nothing: with the page
  bool is_slow = false;            // asked at the pace of health probes
};

// Lifetime: what is pointed to outlives the call that reads it.
struct Answers {
  const Exposition* page = nullptr;  // null: none came
  std::vector<DocumentAnswer> documents;

  const DocumentAnswer* document(std::string_view path) const;  // null: none came
};

struct FieldReport {
  std::string_view field;  // its canonical name
  bool is_present = false;
  std::optional<double> value;         // in the unit of the field
  std::optional<Histogram> histogram;  // of a histogram field
  Confidence confidence = Confidence::absent;
  std::string source;               // the metric or "/path member" that told it
  std::optional<int64_t> stamp_ms;  // its own timestamp, if it carries one
  std::optional<Instant> at;        // when its document came; nothing: with the page
  bool is_slow = false;             // its document is asked at the pace of health probes
  // Not present, but a name of it is there: its value means "unknown", or is none.
  bool is_unknown = false;
  std::vector<std::string> missing;  // names looked for before it was found; all if it was not
};

// A field that the facts do not map has no report.
std::vector<FieldReport> report_engine(const Answers& answers, const DriverFacts& facts);

// Of each field that the facts map whether any device tells it, with the value of the first that
// does.
std::vector<FieldReport> report_accelerators(const Exposition& page, const DriverFacts& facts);

// `at`: when the page came. What is absent says in its source why.
Figure figure_of(const FieldReport& report, Instant at);

// For people: the metric with the labels that choose it, "a / b", "/path member".
std::string name_of(const ValueSource& source, const DriverFacts& facts);

}  // namespace sluice::sense
