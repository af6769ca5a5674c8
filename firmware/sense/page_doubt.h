// Whether a metrics page can be true, held against what we know ourselves: how many of ours are
// there, which of them ended since, how soon their first tokens came.
//
//   frozen    two of ours were served since a page that counted the same in every counter
//   held      it shows more than ours, and nothing on it moves for seconds: gauges of a time when
//             the engine was busy (SGLang keeps them up to 30 s)
//   too_low   it shows fewer than ours, three times in a row
//   too_high  it shows many more than ours and than the work done tells, and its queue is passed by
//             ours, again and again, much faster than it can have drained
//
// A value; no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "firmware/base/time.h"
#include "firmware/sense/own_past.h"

namespace sluice::sense {

enum class Doubt { none, frozen, held, too_low, too_high };
const char* to_text(Doubt doubt);  // for people, after "the page"

// One look at an engine, as far as its queue goes. Counts are bounded by who fills it.
struct QueuePage {
  Instant asked;
  Instant made;   // at the latest: when its answer came
  Instant heard;  // when we took it, perhaps together with a later one
  double running = 0;
  double waiting = 0;
  std::optional<double> counted;    // everything that it counts, summed up: it moves with any work
  std::optional<double> generated;  // tokens
  bool restarted = false;           // a counter fell
  double present() const { return running + waiting; }
};

class PageDoubt {
 public:
  static constexpr int kLowRun = 3;
  static constexpr int kPassedMin = 3;
  static constexpr Duration kHeldLively = Duration::seconds(2);  // of an engine whose page moves
  static constexpr Duration kHeldSlow = Duration::seconds(10);   // of one that counts at ends only

  // Our own, as they happen.
  void served(std::optional<Duration> answering);  // from its first token to its last
  void began(Instant sent, Instant now);
  // `ours`: those that the page should show. `by_work`: how many others the tokens tell of.
  Doubt judge(const QueuePage& page, const OwnPast::Range& ours,
              std::optional<double> by_work = std::nullopt);
  // The page shows less than ours: it says nothing of others, doubted or not.
  bool is_short() const { return low_run_ > 0; }
  void forget() { *this = PageDoubt(); }

 private:
  // How long a request sent now would wait, if the page were true.
  double claimed_wait_s(const QueuePage& page) const;
  void note_claim(const QueuePage& page);
  void note_change(const QueuePage& page, const OwnPast::Range& ours);

  struct Claim {
    Instant heard;
    double wait_s = 0;
  };
  std::array<Claim, 32> claims_;  // of the last pages
  size_t claim_count_ = 0;

  QueuePage last_;
  bool ever_ = false;
  Instant still_since_;  // the page counts the same since then
  uint64_t served_ = 0;
  uint64_t served_when_changed_ = 0;  // when a page first counted so
  uint64_t served_at_last_ = 0;
  double lively_ = 0;  // share of pages that moved while ours ran
  int low_run_ = 0;
  int passed_ = 0;  // claimed queues that were none, less those that were
  double answering_s_ = 0;
  int answers_ = 0;
};

}  // namespace sluice::sense
