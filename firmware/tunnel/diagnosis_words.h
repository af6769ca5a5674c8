// The sentences of a diagnosis.
#pragma once

#include "firmware/tunnel/diagnosis.h"

namespace sluice::tunnel {

Words words_of(Cause cause, const PathEvidence& evidence);

}  // namespace sluice::tunnel
