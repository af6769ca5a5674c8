// One way to read a field, tried on a page or a document. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/sense/driver_facts.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/field_report.h"

namespace sluice::sense {

// Part of a page: the series of one device, or all.
struct Series {
  const Exposition& page;
  std::span<const uint32_t> samples;  // into page.samples, as sort_by_name() leaves them
  std::string_view prefix;            // that every name carries
};

// `samples`: in page order. By name, and those of one name in page order.
void sort_by_name(const Exposition& page, std::vector<uint32_t>& samples);

struct ToldValue {
  double value = 0;
  std::optional<int64_t> stamp_ms;  // the newest of the samples
};

// `sentinels`: the driver's; the source's own count too.
std::optional<ToldValue> read_value(const Series& series, const ValueSource& source,
                                    std::span<const Sentinel> sentinels);
std::optional<Histogram> read_histogram(const Series& series, const ValueSource& source,
                                        std::span<const Sentinel> sentinels);
std::optional<double> read_member(const ports::JsonValue& document, const ValueSource& source,
                                  std::span<const Sentinel> sentinels);

// What stands at "a.b", "list[].a" or "[].a"; several, if a list lies on the way.
std::vector<const ports::JsonValue*> find_members(const ports::JsonValue& document,
                                                  std::string_view member);

bool has_series(const Series& series, std::string_view name);  // without prefix

}  // namespace sluice::sense
