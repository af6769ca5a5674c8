// Duration, Instant (monotonic) and Date (calendar). Units: microseconds inside.
// An Instant and a Date never mix: a Date may jump, an Instant may not.
#pragma once

#include <compare>
#include <cstdint>

namespace sluice {

class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration us(int64_t n) { return Duration(n); }
  static constexpr Duration ms(int64_t n) { return Duration(n * 1000); }
  static constexpr Duration seconds(int64_t n) { return Duration(n * 1000000); }
  static constexpr Duration from_seconds(double s) {
    return Duration(static_cast<int64_t>(s * 1e6 + (s >= 0 ? 0.5 : -0.5)));
  }

  constexpr int64_t as_us() const { return us_; }
  constexpr int64_t as_ms() const { return us_ / 1000; }  // rounds toward zero
  constexpr double as_seconds() const { return static_cast<double>(us_) / 1e6; }
  constexpr bool is_zero() const { return us_ == 0; }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration o) const { return Duration(us_ + o.us_); }
  constexpr Duration operator-(Duration o) const { return Duration(us_ - o.us_); }
  constexpr Duration operator*(int64_t n) const { return Duration(us_ * n); }
  constexpr Duration operator/(int64_t n) const { return Duration(us_ / n); }
  constexpr double operator/(Duration o) const {
    return static_cast<double>(us_) / static_cast<double>(o.us_);
  }
  constexpr Duration scaled(double f) const {
    return Duration(static_cast<int64_t>(static_cast<double>(us_) * f));
  }

 private:
  explicit constexpr Duration(int64_t us) : us_(us) {}
  int64_t us_ = 0;
};

class Instant {
 public:
  constexpr Instant() = default;  // the origin: before anything happened
  static constexpr Instant from_us(int64_t n) { return Instant(n); }
  constexpr int64_t as_us() const { return us_; }

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const { return Instant(us_ + d.as_us()); }
  constexpr Instant operator-(Duration d) const { return Instant(us_ - d.as_us()); }
  constexpr Duration operator-(Instant o) const { return Duration::us(us_ - o.us_); }

 private:
  explicit constexpr Instant(int64_t us) : us_(us) {}
  int64_t us_ = 0;
};

class Date {
 public:
  constexpr Date() = default;  // 1970-01-01T00:00:00Z
  static constexpr Date from_us(int64_t us_since_1970) { return Date(us_since_1970); }
  constexpr int64_t as_us() const { return us_; }
  constexpr int64_t as_seconds() const { return us_ / 1000000; }

  constexpr auto operator<=>(const Date&) const = default;
  constexpr Date operator+(Duration d) const { return Date(us_ + d.as_us()); }
  constexpr Duration operator-(Date o) const { return Duration::us(us_ - o.us_); }

 private:
  explicit constexpr Date(int64_t us) : us_(us) {}
  int64_t us_ = 0;
};

}  // namespace sluice
