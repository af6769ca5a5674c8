// The questions of one path and class, and what their answers tell: round trip (RFC 6298), jitter
// (RFC 3550, section 6.4.1), loss of each direction. A value; memory is bounded by kKeptMax.
//
// Loss of each direction: an answer tells how many questions the PoP has `seen`. Between two
// answers, questions that it has not seen were lost on the way out, the others that were not
// answered on the way back. Questions after the last answer count as half and half until one comes.
// Only regular questions count: those of a burst follow a loss and would make it look larger.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "firmware/base/time.h"
#include "firmware/tunnel/path_settings.h"
#include "firmware/tunnel/path_view.h"

namespace sluice::tunnel {

// 0..1: of the round trip.
double loss_of(const PathQuality& quality);

enum class Question : uint8_t {
  regular,
  burst,  // after a miss
  size,   // of a size that may not pass: its loss says nothing of the path
};

class ProbeTrack {
 public:
  static constexpr size_t kKeptMax = 512;
  static constexpr double kLongProbes = 600;  // of the long mean: 2 minutes at 200 ms
  static constexpr Duration kKeptTime = Duration::seconds(30);  // and no less than the window

  // The sequence of a question that is sent now; it is missed when no answer came after `wait`.
  uint64_t ask(Instant now, Question question, Duration wait, const PathSettings& settings);
  struct Answer {
    Duration rtt;
    Question question = Question::regular;
    Instant asked;
    bool late = false;  // it was missed before
  };
  // Nothing: not asked, asked too long ago, or answered before.
  std::optional<Answer> answer(Instant received, uint64_t sequence, uint32_t seen);

  struct Missed {
    int questions = 0;      // that became overdue, without those of a size
    bool unproven = false;  // one of them was asked after all that were answered
  };
  Missed expire(Instant now);
  bool waits_for(uint64_t sequence) const;      // neither answered nor missed yet
  std::optional<Instant> next_overdue() const;  // of those that are waited for

  // How long an answer may take now.
  Duration timeout(const PathSettings& settings) const;
  PathQuality quality(Instant now, const PathSettings& settings) const;
  uint64_t next() const { return next_; }
  int unanswered() const;  // since the last answer, without those of a size

  void forget_loss();                        // older questions do not count any more
  void forget_rtt() { rtt_known_ = false; }  // the path leads elsewhere now

 private:
  enum class Fate : uint8_t { waiting, answered, missed };
  struct Asked {
    Instant sent;
    Instant overdue;
    Duration rtt;
    uint32_t seen = 0;
    Question question = Question::regular;
    Fate fate = Fate::waiting;
  };
  uint64_t first() const { return next_ - kept_.size(); }
  const Asked* find(uint64_t sequence) const;
  void take_rtt(Duration rtt);
  void take_fate(uint64_t sequence, const Asked& asked, bool late);

  std::deque<Asked> kept_;  // of the sequences first() .. next_ - 1
  uint64_t next_ = 1;
  uint64_t oldest_waiting_ = 1;  // none before it is waited for
  uint64_t last_answered_ = 0;
  uint64_t counted_from_ = 1;
  double long_lost_ = 0;  // exponentially weighted: the latest counts 1
  double long_asked_ = 0;
  bool rtt_known_ = false;
  Duration srtt_;
  Duration rttvar_;
  Duration last_rtt_;
  Duration jitter_;
};

}  // namespace sluice::tunnel
