// Bytes, Tokens and Money as types, so that they cannot be swapped.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

struct Bytes {
  int64_t count = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
};

struct Tokens {
  int64_t count = 0;
  constexpr auto operator<=>(const Tokens&) const = default;
  constexpr Tokens operator+(Tokens o) const { return {count + o.count}; }
  constexpr Tokens operator-(Tokens o) const { return {count - o.count}; }
};

// ISO 4217 letters, e.g. CNY.
struct Currency {
  std::array<char, 3> letters = {'C', 'N', 'Y'};
  auto operator<=>(const Currency&) const = default;
  std::string text() const { return {letters.begin(), letters.end()}; }
  // True if `code` is three capital letters; then *out holds them.
  static bool parse(std::string_view code, Currency* out);
};

// An amount in billionths of the currency's unit: one token at 1 CNY per million is 1000 nano.
struct Money {
  int64_t nano = 0;
  constexpr auto operator<=>(const Money&) const = default;
  constexpr Money operator+(Money o) const { return {nano + o.nano}; }
  constexpr Money operator-(Money o) const { return {nano - o.nano}; }
  constexpr double units() const { return static_cast<double>(nano) / 1e9; }
};

}  // namespace sluice
