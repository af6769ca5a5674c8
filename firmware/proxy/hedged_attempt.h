// An attempt that may get a second copy on another node if its first byte comes late. The first
// byte wins, whoever sends it; the other copy is cancelled at once, and metered with what it
// counted. To the exchange both are one attempt. Without hedging it is one attempt and nothing
// more.
//
// alone  -> racing   the first byte is late, and HedgeSource gives another node
// racing -> alone    one of the two failed before its first byte; the other goes on
// any    -> won      the first byte of one came: the other is cancelled; no copy follows
// any    -> ended    the end was told; cancel(); supersede()
#pragma once

#include <memory>
#include <optional>

#include "firmware/proxy/attempt_run.h"

namespace sluice::proxy {

struct HedgeCopy {
  AttemptOrder order;
  valve::Candidate candidate;
  int number = 0;  // of the request's attempts
};

class HedgeSource {
 public:
  virtual ~HedgeSource() = default;
  // The first byte is late: where a copy may go now, if anywhere. At most once for an attempt.
  virtual std::optional<HedgeCopy> copy_of_late() = 0;
};

class HedgedAttempt {
 public:
  HedgedAttempt(ProxyWorld& world, const AttemptOrder& order, const valve::Candidate& candidate,
                int number, AttemptSink& sink);
  HedgedAttempt(const HedgedAttempt&) = delete;
  HedgedAttempt& operator=(const HedgedAttempt&) = delete;

  // `late`: when to ask `source` for a copy; zero: never.
  void start(bool fresh_connection, Duration late, HedgeSource& source);
  void cancel();  // no callback follows
  // As AttemptRun's. Order: only without a copy.
  void supersede();
  bool has_copy() const { return second_ != nullptr; }
  void pause() { shown_->pause(); }
  void resume() { shown_->resume(); }

  Tokens tokens_used() const;  // of both
  // The copy whose answer passes, or that ended last.
  const AttemptRun& shown() const { return *shown_; }

 private:
  enum class State { alone, racing, won, ended };
  struct Lane : AttemptSink {
    explicit Lane(HedgedAttempt& owner) : owner_(owner) {}
    void on_attempt_body(std::string_view bytes) override { owner_.on_body(*this, bytes); }
    void on_attempt_end(AttemptVerdict verdict) override {
      owner_.on_end(*this, std::move(verdict));
    }
    HedgedAttempt& owner_;
  };

  void move_to(State next);
  void on_late();
  void on_body(const Lane& lane, std::string_view bytes);
  void on_end(const Lane& lane, AttemptVerdict verdict);
  void win(const Lane& lane);
  AttemptRun& run_of(const Lane& lane) { return &lane == &first_lane_ ? first_ : *second_; }
  AttemptRun& other_than(const Lane& lane) { return &lane == &first_lane_ ? *second_ : first_; }

  // Fixed after construction.
  ProxyWorld& world_;
  AttemptSink& sink_;
  // Changes.
  State state_ = State::alone;
  HedgeSource* source_ = nullptr;
  Lane first_lane_{*this};
  Lane second_lane_{*this};
  AttemptRun first_;
  std::unique_ptr<AttemptRun> second_;
  AttemptRun* shown_ = &first_;
  std::unique_ptr<ports::Timer> late_;
};

}  // namespace sluice::proxy
