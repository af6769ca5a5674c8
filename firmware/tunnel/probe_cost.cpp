#include "firmware/tunnel/probe_cost.h"

#include <algorithm>

#include "firmware/tunnel/probe_packet.h"

namespace sluice::tunnel {

namespace {
constexpr int kUdp = 8;
constexpr int kVersion4 = 20;
constexpr int kVersion6 = 40;
constexpr int kTcp = 32;   // with timestamps
constexpr int kFrame = 2;  // the shim's length
constexpr int kPadding = 16;
constexpr int kWireGuard = 32;  // type, receiver, counter, tag
constexpr double kDay = 86400;
}  // namespace

int outer_bytes(int inner, Transport transport) {
  const int sealed = (inner + kPadding - 1) / kPadding * kPadding + kWireGuard;
  switch (transport) {
    case Transport::udp4:
      return sealed + kUdp + kVersion4;
    case Transport::udp6:
      return sealed + kUdp + kVersion6;
    case Transport::tcp443:
      return sealed + kFrame + kTcp + kVersion4;
  }
  return sealed;
}

ProbeCost probe_cost(const PathSettings& settings, Transport transport, bool metered, bool carrying,
                     int mtu) {
  const bool seldom = metered && !carrying;
  const auto per_second = [](Duration interval) {
    return 1 / std::max(interval, Duration::ms(1)).as_seconds();
  };
  const double small = per_second(seldom ? settings.metered_interval : settings.interval) +
                       (seldom ? 0 : per_second(settings.bulk_interval));
  const double large = per_second(metered ? settings.mtu_validate_metered : settings.mtu_validate);
  const int probe = static_cast<int>(kProbeBytesMin) + kUdp + kVersion4;
  ProbeCost cost;
  cost.packets_per_second = small + large;
  cost.day = Bytes{static_cast<int64_t>(
      kDay * (small * outer_bytes(probe, transport) + large * outer_bytes(mtu, transport)))};
  return cost;
}

}  // namespace sluice::tunnel
