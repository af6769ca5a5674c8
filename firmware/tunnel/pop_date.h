// The date as PoPs tell it, each time with their probe key on it: outside the tunnels, inside them,
// and over TCP. Kept against the clock that nobody sets, so a system's date that is set, by whom it
// may be, makes nothing of it wrong. Pure.
#pragma once

#include <optional>
#include <string>

#include "firmware/base/time.h"

namespace sluice::tunnel {

struct PopDate {
  Date date;             // the PoP's
  Instant at;            // the moment it belongs to
  Duration uncertainty;  // half the round trip that brought it
  std::string pop;
};

// Of an answer: the PoP wrote its date half way, give or take the other half.
PopDate pop_date(std::string pop, Date told, Instant received, Duration round_trip);

class PopDates {
 public:
  // One that was nearer is kept so long before a later one of the same PoP takes its place.
  static constexpr Duration kNearerLasts = Duration::seconds(60);
  // PoPs may differ; the date is one PoP's until that has told nothing for so long.
  static constexpr Duration kPopLasts = Duration::seconds(1200);

  // In any order, and as often as one likes. A date of 0 is none.
  void note(const PopDate& told);
  // Something else set the system's date, or the machine slept: what was told until now is void.
  void void_until(Instant now);
  void forget();
  // Brought to `now`; the uncertainty grows by what a quartz is off.
  std::optional<PopDate> at(Instant now) const;

 private:
  std::optional<PopDate> held_;
  std::optional<Instant> void_until_;
};

}  // namespace sluice::tunnel
