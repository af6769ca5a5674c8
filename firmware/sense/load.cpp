#include "firmware/sense/load.h"

namespace sluice::sense {

const char* to_text(Confidence confidence) {
  switch (confidence) {
    case Confidence::absent:
      return "absent";
    case Confidence::stale:
      return "stale";
    case Confidence::learnt:
      return "learnt";
    case Confidence::derived:
      return "derived";
    case Confidence::told:
      return "told";
  }
  return "absent";
}

void mark_stale(Figure& figure, Duration stale_after, Instant now) {
  if (!figure.value || stale_after.is_zero() || now - figure.at <= stale_after) return;
  figure.confidence = Confidence::stale;
}

}  // namespace sluice::sense
