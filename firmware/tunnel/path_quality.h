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

enum class Question : uint8_t {
  regular,
  burst,  // after a miss
  size,   // of a size that may not pass: its loss says nothing of the path
};

class ProbeTrack {
 public:
  static constexpr size_t kKeptMax = 1024;

  // The sequence of a question that is sent now.
  uint64_t ask(Instant now, Question question);
  struct Answer {
    Duration rtt;
    Question question = Question::regular;
    Instant asked;
    bool late = false;  // it had been given up
  };
  // Nothing: not asked, asked too long ago, or answered before.
  std::optional<Answer> answer(Instant received, uint64_t sequence, uint32_t seen);
  // Gives up what is overdue. True: the youngest of them, of whatever question but `size`, was
  // asked after all that were answered, so that it is not only a packet lost among others.
  bool expire(Instant now, const PathSettings& settings);
  // When the next question is overdue.
  std::optional<Instant> next_expiry() const;

  Duration timeout(const PathSettings& settings) const;
  PathQuality quality(Instant now, const PathSettings& settings) const;
  uint64_t asked() const { return next_ - 1; }
  uint64_t last_answered() const { return last_answered_; }
  int unanswered() const;  // regular and burst questions since the last answer

  void forget_loss(uint64_t before);  // questions before it do not count any more
  void forget_rtt();                  // the path leads elsewhere now

 private:
  struct Asked {
    Instant sent;
    Instant overdue;
    Question question = Question::regular;
    enum class Fate : uint8_t { waiting, answered, missed } fate = Fate::waiting;
    uint32_t seen = 0;
    Duration rtt;
  };
  Asked* find(uint64_t sequence);
  void take_rtt(Duration rtt);

  std::deque<Asked> kept_;  // of sequences next_ - size .. next_ - 1
  uint64_t next_ = 1;
  uint64_t last_answered_ = 0;
  uint64_t counted_from_ = 1;
  bool rtt_known_ = false;
  Duration srtt_;
  Duration rttvar_;
  Duration last_rtt_;
  Duration jitter_;
};

}  // namespace sluice::tunnel
