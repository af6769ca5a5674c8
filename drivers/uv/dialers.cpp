#include "drivers/uv/dialers.h"

#include "drivers/uv/dialer.h"

namespace sluice::drivers {

std::unique_ptr<ports::Dialer> UvDialers::by(const ports::OutboundWay& way) {
  return std::make_unique<UvDialer>(loop_, clock_, timers_, way);
}

}  // namespace sluice::drivers
