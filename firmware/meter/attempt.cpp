#include "firmware/meter/attempt.h"

#include <algorithm>

namespace sluice::meter {

namespace {

int64_t bounded(int64_t tokens) { return std::clamp<int64_t>(tokens, 0, kAttemptTokensMax); }

// Never overflows: both factors are cut to what the product may be.
int64_t price_of(int64_t tokens, int64_t nano_per_token) {
  if (tokens <= 0 || nano_per_token <= 0) return 0;
  if (nano_per_token > kAttemptCostNanoMax / tokens) return kAttemptCostNanoMax;
  return tokens * nano_per_token;
}

bool came_to_nothing(Outcome outcome) {
  return outcome == Outcome::refused || outcome == Outcome::busy || outcome == Outcome::failed ||
         outcome == Outcome::interrupted;
}

}  // namespace

const char* to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::served:
      return "served";
    case Outcome::client_gone:
      return "client_gone";
    case Outcome::refused:
      return "refused";
    case Outcome::busy:
      return "busy";
    case Outcome::failed:
      return "failed";
    case Outcome::cut:
      return "cut";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::interrupted:
      return "interrupted";
    case Outcome::superseded:
      return "superseded";
    case Outcome::outrun:
      return "outrun";
  }
  return "unknown";
}

std::optional<Outcome> outcome_from_text(std::string_view text) {
  for (int i = 0; i < kOutcomeCount; ++i) {
    const Outcome outcome = static_cast<Outcome>(i);
    if (text == to_text(outcome)) return outcome;
  }
  return std::nullopt;
}

BilledTokens billed_tokens(const AttemptStart& start, const AttemptEnd& end) {
  if (end.reported) {
    const int64_t in = bounded(end.in_reported.count);
    return {{in},
            {bounded(end.out_reported.count)},
            {std::min(bounded(end.cached_reported.count), in)}};
  }
  if (came_to_nothing(end.outcome)) return {};
  return {{bounded(start.prompt_estimate.count)}, {bounded(end.out_counted.count)}, {}};
}

Money cost_of(const AttemptStart& start, const AttemptEnd& end) {
  const BilledTokens billed = billed_tokens(start, end);
  const int64_t nano = price_of((billed.in - billed.cached).count, start.price_in_nano) +
                       price_of(billed.cached.count, start.price_cached_nano) +
                       price_of(billed.out.count, start.price_out_nano);
  return {std::min(nano, kAttemptCostNanoMax)};
}

}  // namespace sluice::meter
