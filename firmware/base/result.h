// Result<T>: a value, or an Error that says what the caller can do about it.
// The member names are those of std::expected, which g++ 12 does not ship.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "firmware/base/check.h"

namespace sluice {

enum class ErrorKind {
  refused,      // the request itself is at fault: do not retry
  busy,         // try again later, here
  gone,         // try elsewhere: this peer or thing is not there
  broken,       // the peer or the data is wrong
  unsupported,  // we cannot do this at all
};

const char* to_text(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::broken;
  std::string where;  // module or file:line, for people
  std::string text;   // what happened, what it means, what to do; never a secret
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    ENSURE(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    ENSURE(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    ENSURE(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T value_or(T fallback) const { return has_value() ? value() : std::move(fallback); }

  const Error& error() const {
    ENSURE(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const {
    ENSURE(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace sluice
