// Marks along a prompt: hashes of all that stands before each of a fixed row of offsets, so that
// two prompts with the same beginning have the same first marks. Engines keep what they computed of
// a prompt for the next one that begins alike; of that beginning marks tell how long it is.
//
// Offsets stand kMarkGap apart at first, and from 16 gaps on a sixteenth of the length: a shared
// beginning is known to within a sixteenth, and a prompt of any size has at most kMarksMax marks.
// The text itself is not kept. The hash is not secret: who makes two prompts collide misleads the
// forecast for his own requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::sense {

inline constexpr uint64_t kMarkGap = 256;
inline constexpr size_t kMarksMax = 320;  // enough for 1 GiB

// Where mark number `index` (from 0) stands.
uint64_t mark_offset(size_t index);

struct PromptMarks {
  std::vector<uint64_t> hashes;
  uint64_t bytes = 0;  // of the whole prompt
};

// A hash of the first 1,024 bytes, about 256 tokens, or of as much of it as has a mark; 0 = too
// short.
uint64_t beginning_of(const PromptMarks& marks);

// Makes the marks of a prompt as its bytes pass by. A value.
class MarkMaker {
 public:
  explicit MarkMaker(std::string_view model);  // prompts to two models share nothing

  void feed(std::string_view bytes);
  PromptMarks take();

 private:
  void mix(uint64_t word);

  uint64_t hash_;
  uint64_t word_ = 0;  // bytes that do not yet fill one
  uint64_t next_ = kMarkGap;
  PromptMarks marks_;
};

}  // namespace sluice::sense
