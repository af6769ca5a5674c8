#include "firmware/sense/link_belief.h"

#include <algorithm>
#include <utility>

namespace sluice::sense {

void LinkBelief::tell(LinkTold told, Instant now) {
  if (!told.carries || !carries()) broke_ = now;
  told_ = std::move(told);
  if (!learnt_ && told_->carries) learnt_ = cost();
}

bool LinkBelief::broke_since(Instant since) const {
  return !carries() || (broke_ && *broke_ >= since);
}

void LinkBelief::first_token() {
  if (!told_ || !learnt_) return;
  learnt_ = *learnt_ + (cost() - *learnt_).scaled(kReferencePart);
}

Duration LinkBelief::extra() const {
  if (!told_ || !learnt_) return {};
  return std::max(Duration(), cost() - *learnt_);
}

double LinkBelief::us_per_token() const {
  if (!told_ || told_->rate_bits_s <= 0) return 0;
  return kBytesPerToken * 8 * 1e6 / static_cast<double>(told_->rate_bits_s);
}

Duration LinkBelief::cost() const {
  return told_->rtt + (kRetransmit + told_->rtt).scaled(std::clamp(told_->loss, 0.0, 1.0));
}

}  // namespace sluice::sense
