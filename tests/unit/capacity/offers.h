// What a platform offers, for the tests of leases.
#pragma once

#include "firmware/ports/leases.h"

namespace sluice::capacity {

// An instance that reads 10,000 or writes 1,000 tokens a second, for 36 an hour: 0.01 a second.
inline ports::LeaseOffer sample_offer() {
  ports::LeaseOffer offer;
  offer.id = "h20x4";
  offer.model = "m";
  offer.price_per_hour = {36'000'000'000};
  offer.cold_start = Duration::seconds(40);
  offer.slots = 64;
  offer.prompt_tps = 10000;
  offer.output_tps = 1000;
  return offer;
}

}  // namespace sluice::capacity
