#include "firmware/sense/queue_estimate.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

namespace {

// The engine is full at this many if it ran so many on several pages while others waited.
constexpr int kFullPages = 3;
constexpr double kFullWithin = 1;
// One that waits came within the step under way, as often as not, and is in the batch of the next.
constexpr double kQueueMin = 2;
// Token counts tell the number of requests within a quarter, and not of single ones.
constexpr double kShareSpread = 0.25;
constexpr double kShareSpreadMin = 2;

}  // namespace

void QueueEstimate::sent(Instant now) { own_.note(now, own_.now() + 1); }

void QueueEstimate::began(Instant sent, Instant now) {
  ++begun_;
  share_.heard(1);
  doubt_.began(sent, now);
}

void QueueEstimate::ended(std::optional<Instant> began, bool served, Instant now) {
  if (began) --begun_;
  own_.note(now, std::max(0, own_.now() - 1));
  if (!served) return;
  doubt_.served(began ? std::optional<Duration>(now - *began) : std::nullopt);
}

void QueueEstimate::read(const QueuePage& page) {
  if (page.restarted) {
    others_.forget();
    doubt_.forget();
    share_.forget();
    full_pages_ = 0;
  }
  lag_.learn(page.asked, page.present(), own_);
  const Duration lag = lag_.lag();
  const Duration back = lag.is_zero() ? kPageAge : kPageAge + PageLag::kStep;
  const OwnPast::Range ours = own_.over(page.asked - lag - back, page.made - lag);
  if (page.generated) share_.page(*page.generated, own_.now(), page.heard);
  take(page, doubt_.judge(page, ours, share_.others()), ours, lag);
}

void QueueEstimate::take(const QueuePage& page, Doubt doubt, const OwnPast::Range& ours,
                         Duration lag) {
  const double before = last_doubt_ == Doubt::none ? last_.waiting : 0;
  lasting_ = doubt != Doubt::none ? 0 : ever_read_ ? std::min(before, page.waiting) : page.waiting;
  last_ = page;
  last_doubt_ = doubt;
  ever_read_ = true;
  switch (doubt) {
    case Doubt::none:
      if (doubt_.is_short()) return;
      others_.see(std::max(0.0, page.present() - ours.most),
                  std::max(0.0, page.present() - own_.at(page.asked - lag)),
                  std::max(0.0, page.present() - ours.least), page.made - lag, page.heard);
      true_at_ = page.made - lag;
      return learn_limit(page);
    case Doubt::held:
      return others_.see_idle(page.heard);
    case Doubt::frozen:
      return;
    case Doubt::too_low:
    case Doubt::too_high:
      if (const std::optional<double> others = share_.others()) {
        others_.hint(*others, std::max(kShareSpreadMin, kShareSpread * *others), page.heard);
      }
      return;
  }
}

void QueueEstimate::learn_limit(const QueuePage& page) {
  const double above = page.running - full_at_;
  if (page.waiting < kQueueMin) {
    if (above > kFullWithin) full_pages_ = 0;  // it runs more
    return;
  }
  if (above < -kFullWithin) return;  // short of memory, or a burst: not all places are taken
  full_pages_ = above > kFullWithin ? 1 : full_pages_ + 1;
  full_at_ = page.running;
}

std::optional<double> QueueEstimate::places() const {
  const bool queues = last_doubt_ == Doubt::none && last_.waiting >= kQueueMin;
  const bool is_full = last_.running >= full_at_ - kFullWithin;
  if (queues && (is_full || lasting_ >= 1)) return last_.running;
  if (full_pages_ >= kFullPages) return full_at_;
  return limit_ > 0 ? std::optional<double>(limit_) : std::nullopt;
}

QueueBelief QueueEstimate::at(Instant now) const {
  QueueBelief belief;
  const OtherClients::Belief others = others_.at(now);
  const double ours = own_.now();
  const double present = ours + others.count;
  belief.others = others.count;
  belief.spread = others.spread;
  belief.lasting = lasting_;
  belief.lag = lag_.lag();
  belief.doubt = last_doubt_;
  belief.at = true_at_;
  const std::optional<double> places = this->places();
  // Whose first token came does not wait.
  if (places) belief.waiting = std::clamp(present - *places, 0.0, present - begun_);
  belief.running = present - belief.waiting;
  return belief;
}

Figure QueueEstimate::figure(double value, const QueueBelief& belief, Instant now) const {
  Figure figure;
  figure.value = value;
  if (!belief.at) {
    figure.confidence = Confidence::derived;
    figure.source = "own count";
    figure.at = now;
    return figure;
  }
  figure.at = *belief.at;
  figure.source = "engine and own count";
  const bool doubted = belief.doubt != Doubt::none;
  if (doubted) figure.source = std::string("own count: the page ") + to_text(belief.doubt);
  const bool is_old = now - *belief.at > belief.lag + kFresh;
  figure.confidence = is_old                             ? Confidence::stale
                      : doubted || !belief.lag.is_zero() ? Confidence::learnt
                                                         : Confidence::derived;
  return figure;
}

Figure QueueEstimate::running(Instant now) const {
  const QueueBelief belief = at(now);
  return figure(belief.running, belief, now);
}

Figure QueueEstimate::waiting(Instant now) const {
  const QueueBelief belief = at(now);
  return figure(belief.waiting, belief, now);
}

}  // namespace sluice::sense
