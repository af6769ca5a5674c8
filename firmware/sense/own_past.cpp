#include "firmware/sense/own_past.h"

#include <algorithm>

namespace sluice::sense {

namespace {
constexpr int64_t kSlotCount = static_cast<int64_t>(OwnPast::kSlots);
}  // namespace

void OwnPast::note(Instant now, int count) {
  const int64_t slot = slot_of(now);
  const int64_t from = newest_ < 0 ? slot - kSlotCount + 1 : std::max(newest_, slot - kSlotCount);
  for (int64_t passed = from; passed < slot; ++passed) {
    slots_[static_cast<size_t>((passed % kSlotCount + kSlotCount) % kSlotCount)] = count_;
  }
  newest_ = slot;
  count_ = count;
  changes_.push_back({now, count});
  while (changes_.size() > kChangesMax || (changes_.size() > 1 && changes_[1].at + kExact <= now)) {
    changes_.pop_front();
  }
}

int OwnPast::in_slot(int64_t slot) const {
  if (newest_ < 0 || slot >= newest_) return count_;
  const int64_t kept = std::max(slot, newest_ - kSlotCount + 1);
  return slots_[static_cast<size_t>((kept % kSlotCount + kSlotCount) % kSlotCount)];
}

int OwnPast::at(Instant when) const {
  if (changes_.empty()) return count_;
  if (when < changes_.front().at) return in_slot(slot_of(when));
  const auto after =
      std::upper_bound(changes_.begin(), changes_.end(), when,
                       [](Instant moment, const Change& change) { return moment < change.at; });
  return std::prev(after)->count;
}

OwnPast::Range OwnPast::over(Instant from, Instant to) const {
  Range range{at(from), at(from)};
  const auto take = [&range](int count) {
    range.least = std::min(range.least, count);
    range.most = std::max(range.most, count);
  };
  const bool exact = !changes_.empty() && from >= changes_.front().at;
  if (!exact) {
    const int64_t last = std::min(slot_of(to), newest_);
    const int64_t first = std::max(slot_of(from), newest_ - kSlotCount + 1);
    for (int64_t slot = first; slot <= last; ++slot) take(in_slot(slot));
  }
  for (const Change& change : changes_) {
    if (change.at > from && change.at <= to) take(change.count);
  }
  take(at(to));
  return range;
}

}  // namespace sluice::sense
