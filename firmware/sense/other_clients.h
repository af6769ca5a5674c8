// How many requests an engine has from clients that do not come through us. They come and go by
// themselves: between two looks their number drifts toward its mean at the pace at which they
// leave, and what is believed of it becomes less sure (an immigration-death process, followed as
// one follows a position between two fixes).
// A value; no clock. Units: requests; rates per second.
#pragma once

#include "firmware/base/time.h"

namespace sluice::sense {

class OtherClients {
 public:
  struct Belief {
    double count = 0;
    double spread = 0;  // standard deviation
  };

  // At `at` there were at least `least` and at most `most` of them, most likely `likely`; this was
  // heard at `heard`, perhaps much later.
  void see(double least, double likely, double most, Instant at, Instant heard);
  // Another kind of evidence, itself wrong by `spread`.
  void hint(double count, double spread, Instant at);
  // They have gone, or soon will have: nothing is computed.
  void see_idle(Instant at);
  void forget() { *this = OtherClients(); }

  Belief at(Instant when) const;
  bool is_known() const { return known_; }
  Instant seen_at() const { return at_; }
  double leaving_rate() const;  // of each
  double arrival_rate() const { return mean_ * leaving_rate(); }

 private:
  void move_on(Instant at);
  void learn(double count, double predicted, double seconds);

  double count_ = 0;
  double variance_ = 0;
  double mean_ = 0;   // over the last half minute
  double churn_ = 0;  // how many come and go in a second, both together
  Instant at_;
  Instant proven_at_;  // when anything was heard last
  bool known_ = false;
  int looks_ = 0;  // that were learned from
};

}  // namespace sluice::sense
