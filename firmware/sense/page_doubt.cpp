#include "firmware/sense/page_doubt.h"

#include <algorithm>

namespace sluice::sense {

namespace {

// Ours may be on their way to the engine or back.
constexpr double kLowAllowance = 0.1;
constexpr double kLowAllowanceMin = 1;
// A queue of ours that waits for its prompts to be computed may drain fast. Others than these many:
constexpr double kHighAllowance = 8;
constexpr double kHighFactor = 3;  // of those that the work tells of
// A queue is none if ours waited less than this share of the time that it should have taken.
constexpr double kPassedShare = 0.25;
constexpr double kClaimMinSeconds = 0.2;  // shorter waits prove nothing
constexpr int kPassedMax = 6;
constexpr int kAnswersMin = 5;
constexpr double kAnswerPart = 0.1;
constexpr double kLivelyPart = 0.05;
constexpr double kLively = 0.6;

}  // namespace

const char* to_text(Doubt doubt) {
  switch (doubt) {
    case Doubt::none:
      return "agrees with what is known";
    case Doubt::frozen:
      return "stands still while requests come and go";
    case Doubt::held:
      return "shows work, but nothing on it moves";
    case Doubt::too_low:
      return "shows fewer requests than we have there";
    case Doubt::too_high:
      return "shows a queue that our requests do not wait in";
  }
  return "";
}

void PageDoubt::served(std::optional<Duration> answering) {
  ++served_;
  if (!answering) return;
  ++answers_;
  const double part = std::max(kAnswerPart, 1.0 / answers_);
  answering_s_ += (answering->as_seconds() - answering_s_) * part;
}

void PageDoubt::began(Instant sent, Instant now) {
  const size_t kept = std::min(claim_count_, claims_.size());
  const Claim* told = nullptr;
  for (size_t i = 0; i < kept; ++i) {
    const Claim& claim = claims_[i];
    if (claim.heard <= sent && (told == nullptr || claim.heard > told->heard)) told = &claim;
  }
  if (told == nullptr) return;
  const bool proves = told->wait_s >= kClaimMinSeconds;
  const bool passed = proves && (now - sent).as_seconds() < kPassedShare * told->wait_s;
  passed_ = std::clamp(passed_ + (passed ? 1 : -1), 0, kPassedMax);
}

double PageDoubt::claimed_wait_s(const QueuePage& page) const {
  if (answers_ < kAnswersMin) return 0;
  return page.waiting * answering_s_ / std::max(1.0, page.running);
}

void PageDoubt::note_claim(const QueuePage& page) {
  claims_[claim_count_ % claims_.size()] = {page.heard, claimed_wait_s(page)};
  ++claim_count_;
}

void PageDoubt::note_change(const QueuePage& page, const OwnPast::Range& ours) {
  const bool same = ever_ && page.counted && last_.counted && *page.counted == *last_.counted &&
                    page.running == last_.running && page.waiting == last_.waiting;
  if (ever_ && ours.least > 0) {
    lively_ += ((same ? 0.0 : 1.0) - lively_) * kLivelyPart;
  }
  if (!same) {
    still_since_ = page.heard;
    served_when_changed_ = served_;
  }
}

Doubt PageDoubt::judge(const QueuePage& page, const OwnPast::Range& ours,
                       std::optional<double> by_work) {
  const uint64_t served_before = served_at_last_;
  const bool works = page.generated.value_or(0) > last_.generated.value_or(0);
  note_change(page, ours);
  note_claim(page);
  last_ = page;
  ever_ = true;
  served_at_last_ = served_;
  const double least = ours.least;
  const bool low = page.present() < least - std::max(kLowAllowanceMin, kLowAllowance * least);
  // A liar is not right because few of ours are there to show it.
  const bool lies_on = low_run_ >= kLowRun && page.present() < 1 && works;
  low_run_ = low || lies_on ? std::min(low_run_ + 1, kLowRun) : 0;
  // What was served after a page with these counts came, and before this one was asked for.
  if (page.counted && served_before >= served_when_changed_ + 2) return Doubt::frozen;
  const Duration still = page.heard - still_since_;
  const bool more = page.present() > ours.most;
  if (page.counted && more && still >= (lively_ >= kLively ? kHeldLively : kHeldSlow)) {
    return Doubt::held;
  }
  if (low_run_ >= kLowRun) return Doubt::too_low;
  const double known = ours.most + kHighAllowance + kHighFactor * by_work.value_or(0);
  return passed_ >= kPassedMin && page.present() > known ? Doubt::too_high : Doubt::none;
}

}  // namespace sluice::sense
