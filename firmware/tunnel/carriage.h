// What the paths mean for those who send over them: a value per traffic class.
#pragma once

#include <cstdint>

#include "firmware/base/time.h"
#include "firmware/tunnel/names.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

struct Carriage {
  bool carries = false;     // false as soon as an answer of the path is missing
  Words why;                // where it does not
  Duration rtt;             // smoothed
  double loss = 0;          // of round trips, 0..1
  int64_t rate_bits_s = 0;  // of the uplink, upwards; 0 = not known
  bool operator==(const Carriage&) const = default;
};

class CarriageSink {
 public:
  virtual ~CarriageSink() = default;
  // What a class's path can do changed, or which addresses lie behind the tunnels did.
  virtual void on_carriage_changed() = 0;
};

}  // namespace sluice::tunnel
