#include "firmware/base/result.h"

namespace sluice {

const char* to_text(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::gone:
      return "gone";
    case ErrorKind::broken:
      return "broken";
    case ErrorKind::unsupported:
      return "unsupported";
  }
  return "unknown";
}

}  // namespace sluice
