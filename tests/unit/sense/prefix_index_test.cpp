// Marks along prompts, where they were sent, and how much of that is still cached.
#include "firmware/sense/prefix_index.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace sluice;
using namespace sluice::sense;

namespace {

std::string words(size_t size, uint64_t seed) {
  std::string made;
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
  while (made.size() < size) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    made += static_cast<char>('a' + (state >> 59));
  }
  return made;
}

PromptMarks marks_of(const std::string& prompt, const std::string& model = "m",
                     size_t piece = std::string::npos) {
  MarkMaker maker(model);
  for (size_t at = 0; at < prompt.size(); at += std::min(piece, prompt.size())) {
    maker.feed(std::string_view(prompt).substr(at, piece));
  }
  return maker.take();
}

constexpr valve::NodeId kHere{0};
constexpr valve::NodeId kThere{63};

}  // namespace

TEST_CASE("marks: they stand 256 bytes apart, then a sixteenth of the length") {
  CHECK(mark_offset(0) == 256);
  CHECK(mark_offset(15) == 4096);
  CHECK(mark_offset(16) == 4096 + 256);
  CHECK(mark_offset(31) == 8192);
  CHECK(mark_offset(32) == 8192 + 512);
  CHECK(mark_offset(47) == 16384);
  CHECK(mark_offset(kMarksMax - 1) >= uint64_t{1} << 30);
  for (size_t i = 16; i + 1 < kMarksMax; ++i) {
    CHECK((mark_offset(i + 1) - mark_offset(i)) * 16 <= mark_offset(i));
  }
}

TEST_CASE("marks: they depend on every byte before them, on the model, and not on the pieces") {
  const std::string prompt = words(10'000, 1);
  const PromptMarks whole = marks_of(prompt);
  CHECK(whole.bytes == 10'000);
  CHECK(whole.hashes.size() == 35);  // 16 to 4 KiB, 16 to 8 KiB, then 8704, 9216, 9728
  for (const size_t piece : {1, 3, 8, 255, 257, 4000}) {
    CHECK(marks_of(prompt, "m", piece).hashes == whole.hashes);
  }
  CHECK(marks_of(prompt, "n").hashes.front() != whole.hashes.front());
  for (const size_t at : {0, 7, 255, 256, 5000, 9999}) {
    std::string other = prompt;
    other[at] ^= 1;
    const PromptMarks changed = marks_of(other);
    for (size_t i = 0; i < whole.hashes.size(); ++i) {
      CHECK((changed.hashes[i] == whole.hashes[i]) == (mark_offset(i) <= at));
    }
  }
  CHECK(marks_of(prompt.substr(0, 255)).hashes.empty());
}

TEST_CASE("marks: different beginnings have different marks") {
  std::set<uint64_t> seen;
  size_t count = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    for (const uint64_t mark :
         marks_of(std::string(20'000, static_cast<char>(seed)) + std::to_string(seed)).hashes) {
      count += 1;
      seen.insert(mark);
    }
  }
  // 256 letters differ; beyond them the prompts are the same, but for their last digits.
  CHECK(seen.size() == 256 * (count / 1000));
}

TEST_CASE("prefix index: what was sent is found again, to within a sixteenth") {
  PrefixIndex index;
  const std::string system = words(5000, 1);
  const std::string talk = system + words(3000, 2);
  index.learn(marks_of(talk), kHere);
  index.learn(marks_of(system + words(9000, 3)), kThere);
  const std::string next = talk + words(1500, 4);
  const PrefixIndex::Matches found = index.find(marks_of(next));
  CHECK(found.bytes[0] <= 8000);
  CHECK(found.bytes[0] >= 8000 - 8000 / 16);
  CHECK(found.bytes[63] <= 5000);
  CHECK(found.bytes[63] >= 5000 - 5000 / 16);
  CHECK(found.bytes[1] == 0);
  CHECK(index.find(marks_of(words(9000, 9))).bytes[0] == 0);
  CHECK(PrefixIndex().find(marks_of(next)).bytes[0] == 0);
}

TEST_CASE("prefix index: many nodes with different shares are told apart") {
  PrefixIndex index;
  const std::string prompt = words(100'000, 5);
  const PromptMarks marks = marks_of(prompt);
  for (uint8_t node = 0; node < 64; ++node) {
    index.learn(marks_of(prompt.substr(0, size_t{1500} * node)), {node});
  }
  const PrefixIndex::Matches found = index.find(marks);
  for (size_t node = 0; node < 64; ++node) {
    const uint64_t sent = 1500 * node;
    CHECK(found.bytes[node] <= sent);
    CHECK(found.bytes[node] + std::max<uint64_t>(256, sent / 16) > sent);
  }
}

TEST_CASE("prefix index: an engine that began anew is forgotten, the others are not") {
  PrefixIndex index;
  const PromptMarks marks = marks_of(words(4096, 6));
  index.learn(marks, kHere);
  index.learn(marks, kThere);
  index.forget(kHere);
  CHECK(index.find(marks).bytes[0] == 0);
  CHECK(index.find(marks).bytes[63] == 4096);
  index.learn(marks, kHere);
  CHECK(index.find(marks).bytes[0] == 4096);
}

TEST_CASE("prefix index: it is bounded: the oldest gives way, what is in use stays") {
  PrefixIndex index;
  const PromptMarks kept = marks_of(words(4096, 7));
  const PromptMarks old = marks_of(words(4096, 8));
  index.learn(old, kHere);
  int lost = 0;
  for (uint64_t seed = 100; seed < 40'100; ++seed) {  // five times what there is room for
    index.learn(marks_of(words(4096, seed)), kHere);
    if (seed % 500 == 0) {
      index.learn(kept, kHere);
      lost += index.find(kept).bytes[0] == 4096 ? 0 : 1;
    }
  }
  CHECK(lost == 0);
  CHECK(index.find(old).bytes[0] == 0);
  CHECK(index.find(marks_of(words(4096, 40'099))).bytes[0] == 4096);
}

TEST_CASE("cache trust: a node that never told is taken for one without a cache") {
  CacheTrust trust;
  CHECK(trust.share() == doctest::Approx(0));
  for (int i = 0; i < 5; ++i) trust.learn(0.9, 0);
  CHECK(trust.share() == doctest::Approx(0));
}

TEST_CASE("cache trust: the share reported is believed, and followed when it changes") {
  CacheTrust trust;
  trust.learn(0.05, 0.05);  // too little to say anything
  CHECK(trust.share() == doctest::Approx(0));
  trust.learn(0.8, 0.76);
  CHECK(trust.share() == doctest::Approx(0.95));
  trust.learn(0.5, 0.9);  // cannot be more than all
  CHECK(trust.share() == doctest::Approx(0.975));
  for (int i = 0; i < 50; ++i) trust.learn(0.8, 0);
  CHECK(trust.share() < 0.02);
}

TEST_CASE("prompt marks: prompts that begin alike for 1,024 bytes have one beginning") {
  const auto beginning = [](size_t shared, size_t own, char letter) {
    MarkMaker maker("m");
    maker.feed(std::string(shared, 'a'));
    maker.feed(std::string(own, letter));
    return beginning_of(maker.take());
  };
  CHECK(beginning(1024, 5000, 'x') == beginning(1024, 300, 'y'));
  CHECK(beginning(1023, 5000, 'x') != beginning(1023, 5000, 'y'));
  CHECK(beginning(300, 0, 'x') != 0);
  CHECK(beginning(200, 0, 'x') == 0);
}
