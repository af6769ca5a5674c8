#include "firmware/settings/settings.h"

#include <array>

namespace sluice::settings {

const char* to_text(Mode mode) { return mode == Mode::automatic ? "auto" : "off"; }

const char* to_text(Place place) { return place == Place::local ? "local" : "cloud"; }

const char* to_text(DataClass data_class) {
  switch (data_class) {
    case DataClass::open:
      return "open";
    case DataClass::internal:
      return "internal";
    case DataClass::home_only:
      return "home-only";
  }
  return "home-only";
}

const char* to_text(HalfClose half_close) {
  return half_close == HalfClose::keep ? "keep" : "leave";
}

const char* to_text(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::span<const Mode> all_of(Mode) {
  static constexpr std::array kAll = {Mode::automatic, Mode::off};
  return kAll;
}

std::span<const Place> all_of(Place) {
  static constexpr std::array kAll = {Place::local, Place::cloud};
  return kAll;
}

std::span<const DataClass> all_of(DataClass) {
  static constexpr std::array kAll = {DataClass::open, DataClass::internal, DataClass::home_only};
  return kAll;
}

std::span<const HalfClose> all_of(HalfClose) {
  static constexpr std::array kAll = {HalfClose::leave, HalfClose::keep};
  return kAll;
}

std::span<const LogLevel> all_of(LogLevel) {
  static constexpr std::array kAll = {LogLevel::debug, LogLevel::info, LogLevel::warning,
                                      LogLevel::error};
  return kAll;
}

}  // namespace sluice::settings
