#include "firmware/tunnel/path_view.h"

namespace sluice::tunnel {

const char* to_text(PathState state) {
  switch (state) {
    case PathState::down:
      return "down";
    case PathState::starting:
      return "starting";
    case PathState::good:
      return "good";
    case PathState::degraded:
      return "degraded";
    case PathState::suspect:
      return "suspect";
    case PathState::dead:
      return "dead";
  }
  return "?";
}

}  // namespace sluice::tunnel
