// Names by the system's resolver (getaddrinfo), on libuv's worker threads, of which it leaves half
// to others. The resolver cannot be told by which uplink to ask.
// Lifetime: queries end before the loop and `timers`.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/names.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

inline constexpr Duration kNameTimeMax = Duration::seconds(10);

class UvNames final : public ports::Names {
 public:
  UvNames(UvLoop& loop, ports::Timers& timers) : loop_(loop), timers_(timers) {}
  std::unique_ptr<ports::NameQuery> resolve(const std::string& host, Done done) override;

 private:
  UvLoop& loop_;
  ports::Timers& timers_;
};

}  // namespace sluice::drivers
