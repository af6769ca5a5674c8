// Metrics pages: views stay inside the text, limits hold, and what was read reads the same again.
#include "firmware/sense/exposition.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/sense/page_sieve.h"

namespace {

using sluice::sense::Exposition;
using sluice::sense::ExpositionLimits;
using sluice::sense::Label;
using sluice::sense::Sample;

constexpr size_t kSamplesMax = 64;

bool is_within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// The kept samples as a page of their own.
std::string written(const Exposition& page) {
  std::string text;
  for (const Sample& sample : page.samples) {
    text.append(sample.name).append("{");
    for (const Label& label : page.labels(sample)) {
      text.append(label.name).append("=\"").append(label.escaped).append("\",");
    }
    text.append("} 1\n");
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  ExpositionLimits limits;
  limits.samples_max = kSamplesMax;
  const Exposition page = parse_exposition(text, limits);
  ENSURE(page.samples.size() <= kSamplesMax);
  for (const Sample& sample : page.samples) {
    ENSURE(!sample.name.empty() && is_within(sample.name, text));
    for (const Label& label : page.labels(sample)) {
      ENSURE(!label.name.empty() && is_within(label.name, text));
      ENSURE(is_within(label.escaped, text));
      ENSURE(sluice::sense::unescape_label(label.escaped).size() <= label.escaped.size());
    }
  }
  // As it would arrive, in pieces: the same samples.
  sluice::sense::PageSieve sieve({}, sluice::Bytes{static_cast<int64_t>(size)});
  const size_t half = size / 2;
  ENSURE(sieve.feed(text.substr(0, half)) && sieve.feed(text.substr(half)));
  sieve.finish();
  const Exposition pieces = parse_exposition(sieve.text(), limits);
  ENSURE(pieces.samples.size() == page.samples.size() || sieve.long_lines() > 0);
  const std::string again_text = written(page);
  const Exposition again = parse_exposition(again_text, limits);
  ENSURE(again.samples.size() == page.samples.size());
  ENSURE(again.bad_lines == 0 && again.duplicates == 0);
  return 0;
}
