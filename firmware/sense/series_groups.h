// The series of an exporter's page, sorted by the device that they are of. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/sense/driver_facts.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/field_report.h"
#include "firmware/sense/value_source.h"

namespace sluice::sense {

inline constexpr size_t kAcceleratorsMax = 1024;  // on one page; more are left out

struct SeriesGroup {
  std::string id;                 // stays the same over restarts; of a partition "device/partition"
  std::string name;               // model; may be empty
  std::vector<uint32_t> samples;  // as Series wants them
};

// In page order. Series that no field uses, and those without an identity, are left out.
std::vector<SeriesGroup> group_by_device(const Exposition& page, const DriverFacts& facts,
                                         std::string_view prefix);

FieldReport report_device(const Series& series, const DriverFacts& facts, AcceleratorField field);

}  // namespace sluice::sense
