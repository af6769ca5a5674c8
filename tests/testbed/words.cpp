#include "tests/testbed/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::testbed {

std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

std::uint64_t text_seed(std::string_view prompt_text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char byte : prompt_text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return hash;
}

std::string word(std::uint64_t seed, std::int64_t index) {
  const std::uint64_t chance = mix(seed ^ mix(static_cast<std::uint64_t>(index)));
  const unsigned hex = static_cast<unsigned>(chance >> 48);
  switch (chance % 32) {
    case 0:
      return fmt::format(" \u00e9\u6f22{:x}", hex);
    case 1:
      return fmt::format(" \U0001F680{:x}", hex);
    case 2:
      return fmt::format(" \"q\\{:x}\n", hex);
    case 3:
      return fmt::format("\t\x01{:x}</\u2028>", hex);
    default:
      return fmt::format(" w{:x}", hex);
  }
}

std::string words(std::uint64_t seed, std::int64_t count) {
  std::string text;
  for (std::int64_t i = 0; i < count; ++i) text += word(seed, i);
  return text;
}

std::int64_t prompt_tokens(std::size_t prompt_bytes) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(prompt_bytes / 4));
}

}  // namespace sluice::testbed
