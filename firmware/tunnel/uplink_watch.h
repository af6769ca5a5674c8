// What each uplink gives outside the tunnels, asked now and then: for the diagnosis of paths that
// do not work, and for the date.
// Thread: loop. Lifetime: ends before the ports.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/callback.h"
#include "firmware/tunnel/endpoint_book.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/uplink_probe.h"
#include "firmware/tunnel/uplinks.h"

namespace sluice::tunnel {

class UplinkWatch {
 public:
  static constexpr Duration kWhenWell = Duration::seconds(600);
  static constexpr Duration kWhenNot = Duration::seconds(5);

  struct Known {
    UplinkFinding finding;
    Instant at;
  };

  UplinkWatch(const UplinkProbePorts& ports, Callback on_told);
  ~UplinkWatch();
  UplinkWatch(const UplinkWatch&) = delete;
  UplinkWatch& operator=(const UplinkWatch&) = delete;

  // Once a second: asks those that are due. `unwell`: names of uplinks with a path that is not.
  void poll(const std::vector<UplinkSeen>& uplinks, const Membership& membership,
            const EndpointBook& book, const std::vector<std::string>& unwell);
  void forget();
  const Known* known(const std::string& uplink) const;  // null: nothing was told yet
  // The latest date that a PoP told, brought to now, with its uncertainty.
  std::optional<ClockFinding> clock() const;
  // The same, after the system's date was stepped: what was measured against the old one is void.
  void clock_stepped();

 private:
  class Asked;
  void on_found(const UplinkFinding& finding);

  const UplinkProbePorts ports_;
  const Callback on_told_;
  std::map<std::string, std::unique_ptr<Asked>> asked_;  // by uplink; running or over
  std::map<std::string, Known> known_;
  std::optional<ClockFinding> clock_;
};

}  // namespace sluice::tunnel
