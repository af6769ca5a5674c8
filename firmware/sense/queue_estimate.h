// How many requests an engine runs and keeps waiting now, of all clients: what it told last and how
// old that is, our own requests then and now, and the others, whose number is followed between two
// pages. A page is held against what we know ourselves: one that lags is believed of its time, one
// that stands still or lies is not; fewer than our own there never are.
// A value; no clock. Times never decrease. Order, per request: sent, began once, ended once.
// Units: requests.
#pragma once

#include <optional>

#include "firmware/base/time.h"
#include "firmware/sense/load.h"
#include "firmware/sense/other_clients.h"
#include "firmware/sense/own_past.h"
#include "firmware/sense/page_doubt.h"
#include "firmware/sense/page_lag.h"
#include "firmware/sense/token_share.h"

namespace sluice::sense {

struct QueueBelief {
  double running = 0;
  double waiting = 0;
  double others = 0;   // of both, from other clients
  double spread = 0;   // of running and waiting together, a standard deviation
  double lasting = 0;  // waiting in both of the last two pages
  Duration lag;        // of its pages
  Doubt doubt = Doubt::none;
  std::optional<Instant> at;  // what it rests on was true then; nothing: no page was believed yet
  double present() const { return running + waiting; }
};

class QueueEstimate {
 public:
  // Of a page that says so, the moment when it was made may lie so far back.
  static constexpr Duration kPageAge = Duration::ms(50);
  static constexpr Duration kFresh = Duration::seconds(2);

  void sent(Instant now);
  void began(Instant sent, Instant now);  // its first token came; of a stream
  void tokens(int count) { share_.heard(count); }
  // `began`: when its first token came, if that was seen.
  void ended(std::optional<Instant> began, bool served, Instant now);
  // Requests that it runs at once, as declared or told; 0: not known.
  void set_limit(int limit) { limit_ = limit; }
  void read(const QueuePage& page);

  QueueBelief at(Instant now) const;
  double others(Instant now) const { return others_.at(now).count; }  // as at() has it, for less
  // As the page and the metrics of the box tell them.
  Figure running(Instant now) const;
  Figure waiting(Instant now) const;

 private:
  void take(const QueuePage& page, Doubt doubt, const OwnPast::Range& ours, Duration lag);
  void learn_limit(const QueuePage& page);
  std::optional<double> places() const;  // that must be taken before anything waits
  Figure figure(double value, const QueueBelief& belief, Instant now) const;

  OwnPast own_;
  int begun_ = 0;  // of those in flight
  OtherClients others_;
  PageLag lag_;
  PageDoubt doubt_;
  TokenShare share_;
  int limit_ = 0;

  bool ever_read_ = false;
  QueuePage last_;
  Doubt last_doubt_ = Doubt::none;
  std::optional<Instant> true_at_;
  double lasting_ = 0;
  double full_at_ = 0;  // most that ran while requests waited; 0: never seen so
  int full_pages_ = 0;  // that showed it
};

}  // namespace sluice::sense
