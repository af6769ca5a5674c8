// A metrics page in Prometheus text format 0.0.4, read line by line: a bad line is counted and
// skipped, the rest of the page stays useful (Prometheus itself drops the whole page).
//
// More tolerant than the format: no final line feed, CR LF, TYPE anywhere or nowhere. Lines that
// cannot be understood without guessing (unquoted label value, unknown escape, label given twice,
// text after the timestamp) are bad. Pages in OpenMetrics 1.0 are read too: timestamps are then
// seconds with a fraction, and exemplars are cut off.
// Source: prometheus.io/docs/instrumenting/exposition_formats, OpenMetrics 1.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/units.h"

namespace sluice::sense {

inline constexpr Bytes kExpositionBytesMax{4 * 1024 * 1024};
inline constexpr size_t kExpositionSamplesMax = 20000;
inline constexpr size_t kExpositionLabelsMax = 64;  // of one sample; a line with more is bad

struct ExpositionLimits {
  Bytes bytes_max = kExpositionBytesMax;
  size_t samples_max = kExpositionSamplesMax;
  bool open_metrics = false;  // the Content-Type said so; a page that ends in "# EOF" says it too
  // Sorted. Empty: every sample is kept. Else a line whose name is not listed is skipped unread:
  // it is neither kept nor checked nor counted.
  std::span<const std::string> names;
};

struct Label {
  std::string_view name;
  std::string_view escaped;  // the value as written between the quotes
  bool operator==(const Label&) const = default;
};

struct Sample {
  std::string_view name;
  double value = 0;
  std::optional<int64_t> timestamp_ms;  // of the engine's own calendar
  uint32_t first_label = 0;             // into Exposition::label_pool
  uint32_t label_count = 0;
};

// Lifetime: names and values point into the text that was parsed.
struct Exposition {
  std::vector<Sample> samples;    // in page order; of one series that stands twice, the last
  std::vector<Label> label_pool;  // of each sample by label name
  int bad_lines = 0;
  int duplicates = 0;      // samples dropped because their series came again
  bool truncated = false;  // a limit was reached: what follows it is missing

  std::span<const Label> labels(const Sample& sample) const {
    return {label_pool.data() + sample.first_label, sample.label_count};
  }
  const Label* label(const Sample& sample, std::string_view name) const;  // null if absent
};

// Whether the Content-Type of a page says so.
bool says_open_metrics(std::string_view content_type);

Exposition parse_exposition(std::string_view text, const ExpositionLimits& limits = {});

// The value behind the escapes \\ \" \n.
std::string unescape_label(std::string_view escaped);

}  // namespace sluice::sense
