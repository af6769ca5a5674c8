#include "firmware/sense/prompt_marks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::sense {

namespace {

constexpr uint64_t kWord = sizeof(uint64_t);
constexpr uint64_t kPerOctave = 16;

// The mark after the one at `offset`. Offsets are multiples of a word.
constexpr uint64_t next_offset(uint64_t offset) {
  return offset + std::max(kMarkGap, std::bit_floor(offset) / kPerOctave);
}

constexpr std::array<uint64_t, kMarksMax> kOffsets = [] {
  std::array<uint64_t, kMarksMax> made{};
  uint64_t offset = kMarkGap;
  for (uint64_t& at : made) {
    at = offset;
    offset = next_offset(offset);
  }
  return made;
}();

// Little-endian, whatever the processor: marks must not depend on it.
uint64_t word_at(const char* bytes) {
  uint64_t word = 0;
  for (size_t i = kWord; i-- > 0;) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

}  // namespace

uint64_t mark_offset(size_t index) {
  ENSURE(index < kMarksMax);
  return kOffsets[index];
}

MarkMaker::MarkMaker(std::string_view model) : hash_(0x9E3779B97F4A7C15ull) {
  for (const char c : model) mix(static_cast<unsigned char>(c));
}

// A round of wyhash's kind: the halves of a 128-bit product, folded.
void MarkMaker::mix(uint64_t word) {
  const uint64_t a = hash_ ^ word;
  const uint64_t low = a * 0xA0761D6478BD642Full;
  hash_ = (low ^ (low >> 32)) + 0xE7037ED1A0B428DBull + (a >> 29);
}

uint64_t beginning_of(const PromptMarks& marks) {
  constexpr size_t kMarks = 1024 / kMarkGap;
  return marks.hashes.empty() ? 0 : marks.hashes[std::min(marks.hashes.size(), kMarks) - 1];
}

void MarkMaker::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const uint64_t inside = marks_.bytes % kWord;
    if (inside == 0 && bytes.size() >= kWord) {
      // Whole words up to the next mark, or to the end of these bytes.
      const uint64_t words = std::min<uint64_t>(bytes.size(), next_ - marks_.bytes) / kWord;
      for (uint64_t i = 0; i < words; ++i) mix(word_at(bytes.data() + i * kWord));
      bytes.remove_prefix(words * kWord);
      marks_.bytes += words * kWord;
    } else {
      word_ |= static_cast<uint64_t>(static_cast<unsigned char>(bytes.front())) << (8 * inside);
      bytes.remove_prefix(1);
      ++marks_.bytes;
      if (inside + 1 == kWord) mix(std::exchange(word_, 0));
    }
    if (marks_.bytes < next_) continue;
    if (marks_.hashes.size() < kMarksMax) marks_.hashes.push_back(hash_);
    next_ = next_offset(next_);
  }
}

PromptMarks MarkMaker::take() { return std::move(marks_); }

}  // namespace sluice::sense
