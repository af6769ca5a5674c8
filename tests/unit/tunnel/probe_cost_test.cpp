#include "firmware/tunnel/probe_cost.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::tunnel;

TEST_CASE("cost: a packet grows by WireGuard's padding and headers") {
  CHECK(outer_bytes(136, Transport::udp4) == 144 + 32 + 28);
  CHECK(outer_bytes(144, Transport::udp4) == 144 + 32 + 28);
  CHECK(outer_bytes(136, Transport::udp6) == 144 + 32 + 48);
  CHECK(outer_bytes(136, Transport::tcp443) == 144 + 32 + 2 + 52);
}

TEST_CASE("cost: a path is probed for about 100 MB a day and way, a metered standby for a fifth") {
  const PathSettings settings;
  const ProbeCost usual = probe_cost(settings, Transport::udp4, false, false);
  CHECK(usual.day.count == 86400LL * 11 / 2 * 204 + 2880 * 1484);
  const ProbeCost standby = probe_cost(settings, Transport::udp4, true, false);
  CHECK(standby.day.count == 86400 * 204 + 288 * 1484);
  CHECK(standby.packets_per_second == doctest::Approx(1.0033).epsilon(0.001));
}
