#include "tests/sim/prompt_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace sluice::sim {

namespace {

constexpr std::string_view kOpen = "[{\"role\":\"user\",\"content\":\"";
constexpr std::string_view kClose = "\"}]";
constexpr size_t kBlockBytes = static_cast<size_t>(kBlockTokens) * 4;

// Text that depends on `id` and the place in it only.
void append_text(uint64_t id, size_t size, std::string& out) {
  const size_t end = out.size() + size;
  for (uint64_t word = 0; out.size() < end; ++word) {
    uint64_t z = id * 0x9E3779B97F4A7C15ull + word * 0xD1342543DE82EF95ull + 1;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z ^= z >> 27;
    char letters[16];
    for (int i = 0; i < 16; ++i) letters[i] = static_cast<char>('a' + (z >> (4 * i) & 15));
    letters[7] = letters[15] = ' ';  // words: one long word is taken for a coded picture
    out.append(letters, std::min(sizeof letters, end - out.size()));
  }
}

}  // namespace

void write_body(const PromptSpec& prompt, std::string& body) {
  const auto wanted = static_cast<size_t>(
      std::llround(static_cast<double>(prompt.tokens) * prompt.bytes_per_token));
  size_t left = wanted - std::min(wanted, kOpen.size() + kClose.size());
  body.clear();
  body.reserve(left + 256);
  fmt::format_to(std::back_inserter(body), "{{\"model\":\"{}\",", prompt.model);
  if (prompt.stream) body += "\"stream\":true,";
  if (prompt.output_max > 0) {
    fmt::format_to(std::back_inserter(body), "\"max_tokens\":{},", prompt.output_max);
  }
  body += "\"messages\":";
  body += kOpen;
  const size_t blocks = prompt.blocks == nullptr ? 0 : prompt.blocks->size();
  for (size_t i = 0; i < blocks && left > 0; ++i) {
    const size_t size = std::min(left, kBlockBytes);
    append_text((*prompt.blocks)[i], size, body);
    left -= size;
  }
  append_text(~prompt.own, left, body);
  body += kClose;
  body += '}';
}

}  // namespace sluice::sim
