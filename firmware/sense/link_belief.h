// What is believed of the network path to a node: whether it carries anything now, and what it adds
// to the time of a first token. TTFT that was learnt has the path in it as the path was then; what
// changes since, after a switch to a longer one or while packets are lost, is added at once.
// A value: no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::sense {

struct LinkTold {
  bool carries =
      true;         // false as soon as an answer of the path is missing: before it counts as dead
  std::string why;  // where it does not, for people
  Duration rtt;
  double loss = 0;          // of round trips, 0..1
  int64_t rate_bits_s = 0;  // upwards; 0 = not known
  bool operator==(const LinkTold&) const = default;
};

class LinkBelief {
 public:
  // A lost segment of a request is sent again after this and a round trip: RFC 6298, as Linux has
  // its least timeout.
  static constexpr Duration kRetransmit = Duration::ms(200);
  static constexpr double kReferencePart = 1.0 / 16;  // a first token's part in what was learnt
  static constexpr double kBytesPerToken = 4;         // of a prompt in a request's body

  void tell(LinkTold told, Instant now);
  void clear() { told_.reset(); }  // the node is not behind a path that is watched
  bool carries() const { return !told_ || told_->carries; }
  std::string why() const { return carries() ? "" : told_->why; }
  bool broke_since(Instant since) const;  // did it carry nothing at any time after?
  void first_token();                     // one came: what is learnt follows the path as it is
  Duration extra() const;                 // to be added to a TTFT that was learnt
  double us_per_token() const;            // of a prompt on its way; 0 = not known

 private:
  Duration cost() const;
  std::optional<LinkTold> told_;
  std::optional<Duration> learnt_;  // cost, as it was in the samples
  std::optional<Instant> broke_;    // the last time that it carried nothing
};

}  // namespace sluice::sense
