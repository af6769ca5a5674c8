// One look at an exporter's page, in our words: every accelerator on it, or every partition of one.
// Pure.
#pragma once

#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/exposition.h"
#include "firmware/sense/load.h"

namespace sluice::sense {

// In page order, at most kAcceleratorsMax (series_groups.h). `at`: when the page came. A series
// without an identity is left out.
std::vector<AcceleratorLoad> read_accelerators(const Exposition& page, const DriverFacts& facts,
                                               Instant at);

// A figure that carries the same timestamp as before is the same sample again: it keeps its age.
void keep_ages(const std::vector<AcceleratorLoad>& before, std::vector<AcceleratorLoad>& after);

// Figures older than `stale_after` are called stale.
void mark_stale(AcceleratorLoad& load, Duration stale_after, Instant now);

}  // namespace sluice::sense
