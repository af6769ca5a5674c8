#include "firmware/sense/prefix_index.h"

#include <algorithm>
#include <bit>

namespace sluice::sense {

namespace {

constexpr size_t kSets = PrefixIndex::kEntries / PrefixIndex::kWays;
static_assert(std::has_single_bit(kSets));

constexpr double kMatchedMin = 0.1;  // less of a prompt says little of the cache

size_t set_of(uint64_t mark) { return (mark >> 17 ^ mark) & (kSets - 1); }

}  // namespace

const PrefixIndex::Entry* PrefixIndex::entry(uint64_t mark) const {
  const Entry* const set = &entries_[set_of(mark) * kWays];
  for (const Entry* at = set; at != set + kWays; ++at) {
    if (at->mark == mark && at->nodes != 0) return at;
  }
  return nullptr;
}

void PrefixIndex::learn(const PromptMarks& marks, valve::NodeId node) {
  if (marks.hashes.empty()) return;
  if (entries_.empty()) entries_.resize(kEntries);
  const uint64_t bit = uint64_t{1} << node.index;
  ++uses_;
  for (const uint64_t mark : marks.hashes) {
    Entry* const set = &entries_[set_of(mark) * kWays];
    const auto known = std::find_if(
        set, set + kWays, [mark](const Entry& e) { return e.mark == mark && e.nodes != 0; });
    if (known != set + kWays) {
      known->nodes |= bit;
      known->used = uses_;
      continue;
    }
    Entry* const oldest = std::min_element(
        set, set + kWays, [](const Entry& a, const Entry& b) { return a.used < b.used; });
    *oldest = {mark, bit, uses_};
  }
}

// All of `nodes` have the marks up to `low` (how many); none is known to have more than `high`.
void PrefixIndex::narrow(const PromptMarks& marks, uint64_t nodes, size_t low, size_t high,
                         Matches& found) const {
  while (nodes != 0 && low < high) {
    const size_t middle = low + (high - low + 1) / 2;
    const Entry* const at = entry(marks.hashes[middle - 1]);
    const uint64_t there = at == nullptr ? 0 : nodes & at->nodes;
    if (there == 0) {
      high = middle - 1;
    } else if (there == nodes) {
      low = middle;
    } else {
      narrow(marks, there, middle, high, found);
      nodes &= ~there;
      high = middle - 1;
    }
  }
  if (low == 0) return;
  const uint64_t bytes = mark_offset(low - 1);
  for (; nodes != 0; nodes &= nodes - 1) {
    found.bytes[static_cast<size_t>(std::countr_zero(nodes))] = bytes;
  }
}

PrefixIndex::Matches PrefixIndex::find(const PromptMarks& marks) const {
  Matches found;
  if (entries_.empty() || marks.hashes.empty()) return found;
  const Entry* const first = entry(marks.hashes.front());
  if (first != nullptr) narrow(marks, first->nodes, 1, marks.hashes.size(), found);
  return found;
}

void PrefixIndex::forget(valve::NodeId node) {
  const uint64_t bit = uint64_t{1} << node.index;
  for (Entry& entry : entries_) entry.nodes &= ~bit;
}

void CacheTrust::learn(double matched, double cached) {
  if (matched < kMatchedMin) return;
  const double part = std::clamp(cached / matched, 0.0, 1.0);
  ++seen_;
  share_ += (part - share_) * std::max(kNewest, 1.0 / seen_);
}

}  // namespace sluice::sense
