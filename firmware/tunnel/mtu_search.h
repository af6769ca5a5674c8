// The largest inner packet that passes a path, by packets of that size (after RFC 8899,
// packetization layer path MTU discovery). A value without clock or socket.
//
// First kStartSize, then kVersion6Size, then the ceiling, which passes in most places; otherwise
// halving between what passes and what does not. A size does not pass when `mtu_tries` questions of
// it were unanswered while small ones were answered. What passes is asked for again from time to
// time: when it does not any more while small packets do (a black hole), the size falls at once to
// kStartSize and is sought anew.
//
// The ceiling is the MTU of the path's interface: larger packets cannot be sent for trial. What
// traffic may use is held lower by the mtu of routes, which a socket that sends with never_fragment
// does not heed (IP_PMTUDISC_PROBE).
// Units: bytes of inner IP packets.
#pragma once

#include <cstdint>
#include <optional>

#include "firmware/base/time.h"
#include "firmware/tunnel/path_settings.h"

namespace sluice::tunnel {

class MtuSearch {
 public:
  static constexpr int kLeastSize = 576;      // RFC 791: what every IPv4 host takes
  static constexpr int kStartSize = 1200;     // RFC 8899: BASE_PLPMTU
  static constexpr int kVersion6Size = 1280;  // RFC 8200: no IPv6 below it
  static constexpr int kStep = 8;             // as near as the search comes

  explicit MtuSearch(const PathSettings& settings) : settings_(settings) {}
  void set(const PathSettings& settings) { settings_ = settings; }

  // From the start, nothing known. A ceiling below kLeastSize: nothing is asked.
  void restart(Instant now, int ceiling);
  void set_metered(bool metered) { metered_ = metered; }
  void check(Instant now);  // what passes is asked for now: the path may lead elsewhere

  // Size of a packet to ask with now. Nothing: not now; look again at wake().
  std::optional<int> due(Instant now) const;
  std::optional<Instant> wake() const;
  // A packet of the size that was due was sent; `wait` is how long an answer may take, that of a
  // small question included that is sent after it.
  void asked(Instant now, uint64_t sequence, Duration wait);
  // It could not be sent: larger than the interface carries.
  void refuse(Instant now);
  void answer(Instant now, uint64_t sequence);
  // Gives up what is overdue; `proof`: when the last answer of a small question came. Without one
  // since the question was sent, its loss says nothing of its size.
  void expire(Instant now, std::optional<Instant> proof);

  int mtu() const { return mtu_; }  // 0 = not known
  bool settled() const { return settled_; }
  bool hole() const { return in_hole_; }  // what passed does not any more; until it settles
  int holes() const { return holes_; }    // found since it began

 private:
  void pass(Instant now);
  void fail(Instant now);
  void plan(Instant now);
  void settle(Instant now);

  PathSettings settings_;
  bool metered_ = false;
  int ceiling_ = 0;
  int mtu_ = 0;
  int passes_ = 0;  // largest that passed since the search began
  int fails_ = 0;   // smallest that did not; 0 = none
  int size_ = 0;    // asked with next
  int tries_ = 0;   // of it, unanswered
  bool settled_ = false;
  bool in_hole_ = false;
  int holes_ = 0;
  uint64_t sequence_ = 0;  // outstanding; 0 = none
  Instant sent_;
  Instant overdue_;
  Instant next_;
  Instant raise_at_;
};

}  // namespace sluice::tunnel
