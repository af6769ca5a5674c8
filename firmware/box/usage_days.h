// Usage from one day to another, both included, as a person writes it. Days are UTC.
#pragma once

#include <string>

#include "firmware/base/result.h"
#include "firmware/meter/usage_query.h"

namespace sluice::box {

// Empty text: open at that end. Errors: refused, with what to write.
Result<meter::UsageQuestion> usage_question(meter::UsageBy by, const std::string& from_day,
                                            const std::string& to_day);

}  // namespace sluice::box
