#include "firmware/box/usage_days.h"

namespace sluice::box {

namespace {

constexpr Duration kDay = Duration::seconds(24 * 3600);

}  // namespace

Result<meter::UsageQuestion> usage_question(meter::UsageBy by, const std::string& from_day,
                                            const std::string& to_day) {
  meter::UsageQuestion question;
  question.by = by;
  if (!from_day.empty()) {
    const Result<Date> from = meter::parse_day(from_day, Duration());
    if (!from) return from.error();
    question.from = *from;
  }
  if (!to_day.empty()) {
    const Result<Date> to = meter::parse_day(to_day, Duration());
    if (!to) return to.error();
    question.to = *to + kDay;  // the last day is part of it
  }
  return question;
}

}  // namespace sluice::box
