#include "firmware/tunnel/pop_date.h"

#include <utility>

namespace sluice::tunnel {

namespace {

constexpr int64_t kQuartz = 10'000;  // off by no more than one part of these

PopDate brought_to(const PopDate& told, Instant now) {
  const Duration since = now - told.at;
  PopDate out = told;
  out.date = told.date + since;
  out.at = now;
  out.uncertainty = told.uncertainty + since / kQuartz;
  return out;
}

}  // namespace

PopDate pop_date(std::string pop, Date told, Instant received, Duration round_trip) {
  const Duration half = round_trip / 2;
  if (told == Date()) return {told, received, half, std::move(pop)};
  return {told + half, received, half, std::move(pop)};
}

void PopDates::note(const PopDate& told) {
  if (told.date == Date()) return;
  if (void_until_ && told.at <= *void_until_) return;
  if (held_) {
    const Duration later = told.at - held_->at;
    if (later <= Duration()) return;
    const bool nearer = told.uncertainty <= brought_to(*held_, told.at).uncertainty;
    const bool due = later >= (told.pop == held_->pop ? kNearerLasts : kPopLasts);
    if (!due && (told.pop != held_->pop || !nearer)) return;
  }
  held_ = told;
}

void PopDates::void_until(Instant now) {
  held_.reset();
  void_until_ = now;
}

void PopDates::forget() {
  held_.reset();
  void_until_.reset();
}

std::optional<PopDate> PopDates::at(Instant now) const {
  if (!held_) return std::nullopt;
  return brought_to(*held_, now);
}

}  // namespace sluice::tunnel
