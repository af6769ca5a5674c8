// Of streams that ran side by side, the time in which all of them decoded and none was read: there
// a step costs nothing but decoding.
#pragma once

#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/calibration_fit.h"

namespace sluice::sense {

struct TokenTimes {
  const std::vector<Instant>* came = nullptr;  // never null or empty in use
  double tokens_each = 1;                      // of an event: an engine may send several in one
};

// The earlier and the later half of that time, each if every stream had enough tokens in it.
// `prompt` is each stream's tokens of prompt.
std::vector<DecodeWindow> decode_windows(const std::vector<TokenTimes>& streams, double prompt);

}  // namespace sluice::sense
