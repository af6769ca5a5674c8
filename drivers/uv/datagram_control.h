// What the kernel says beside a datagram: when it came, or why it did not arrive. Sources:
// socket(7), ip(7) "IP_RECVERR", linux/errqueue.h. For the files of this folder only.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::drivers {

// SO_TIMESTAMPNS; nothing if the kernel did not say.
std::optional<Date> arrival_stamp_of(const msghdr& message);

struct Undelivered {
  IpAddress by;  // who said so
  bool hops_ended = false;
  Error error;
};
// Nothing where the machine itself says it: send() has failed already.
std::optional<Undelivered> undelivered_of(const msghdr& message);

}  // namespace sluice::drivers
