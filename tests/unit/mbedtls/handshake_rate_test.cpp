#include "drivers/mbedtls/handshake_rate.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::drivers;

TEST_CASE("handshake rate: all together and each address have their share of a second") {
  HandshakeRate rate;
  rate.set(5, 2);
  Instant now = Instant::from_us(1'000'000);
  CHECK(rate.take("a", now));
  CHECK(rate.take("a", now));
  CHECK_FALSE(rate.take("a", now));
  CHECK(rate.take("b", now));
  CHECK(rate.take("b", now));
  CHECK(rate.take("c", now));
  CHECK_FALSE(rate.take("d", now));
  now = now + Duration::ms(200);  // one more for all, not yet half of one for an address
  CHECK_FALSE(rate.take("a", now));
  CHECK(rate.take("d", now));
  CHECK_FALSE(rate.take("e", now));
  now = now + Duration::seconds(60);  // never more than one second's worth
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += rate.take(std::to_string(i), now) ? 1 : 0;
  CHECK(taken == 5);
}

TEST_CASE("handshake rate: the addresses that are remembered are bounded") {
  HandshakeRate rate;
  rate.set(1'000'000, 10);
  Instant now = Instant::from_us(1'000'000);
  size_t taken = 0;
  for (size_t i = 0; i < 2 * kHandshakeAddressesMax; ++i) {
    taken += rate.take(std::to_string(i), now) ? 1 : 0;
  }
  CHECK(taken == kHandshakeAddressesMax);
  CHECK(rate.addresses() == kHandshakeAddressesMax);
  now = now + Duration::seconds(1);
  CHECK(rate.take("new", now));
  CHECK(rate.addresses() == 1);
}
