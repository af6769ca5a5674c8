// Every lease that is not over, and what must be remembered of those that are: the file that a box
// reads when it starts. It is written before the platform is asked for anything that costs money.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/capacity/lease_step.h"

namespace sluice::capacity {

inline constexpr size_t kBookLeasesMax = 32;
inline constexpr size_t kBookStartsMax = 64;
inline constexpr Bytes kBookFileMax{256 * 1024};
inline constexpr Duration kDay = Duration::seconds(24 * 3600);

struct LeaseBook {
  std::vector<Step> leases;  // in the order in which they were decided; none is released
  std::vector<Date> starts;  // of the last 24 hours, in order
  Date rest_until;           // nothing is started before: the last start failed
  Duration rest;             // how long that rest was
  bool operator==(const LeaseBook&) const = default;
};

std::string write_book(const LeaseBook& book);
// Errors: broken, with what is wrong. A lease that cannot be understood is never passed over: it
// may cost money.
Result<LeaseBook> read_book(std::string_view text);

int starts_within_day(const LeaseBook& book, Date now);
void forget_old_starts(LeaseBook& book, Date now);

}  // namespace sluice::capacity
