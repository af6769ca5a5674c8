// What each uplink gives outside the tunnels, asked now and then: for the diagnosis of paths that
// do not work, and for the date, which others may hear of too.
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
#include "firmware/tunnel/pop_date.h"
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
    Instant asked;
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
  // What a PoP told elsewhere: inside a tunnel, over TCP.
  void note_date(const PopDate& told) { dates_.note(told); }
  // Of a PoP, brought to now.
  std::optional<PopDate> date() const { return dates_.at(ports_.clock.now()); }
  // By something else than this daemon: what was told until now counts no more, also what is on
  // its way to being told, and every uplink is asked anew at the next poll.
  void date_was_set();

 private:
  class Asked;
  void on_found(const UplinkFinding& finding, Instant asked);

  const UplinkProbePorts ports_;
  const Callback on_told_;
  std::map<std::string, std::unique_ptr<Asked>> asked_;  // by uplink; running or over
  std::map<std::string, Known> known_;
  PopDates dates_;
  Instant ask_anew_;  // what was asked before is too old
};

}  // namespace sluice::tunnel
