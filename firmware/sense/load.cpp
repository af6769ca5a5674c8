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

}  // namespace sluice::sense
