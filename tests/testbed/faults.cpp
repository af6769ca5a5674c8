#include "tests/testbed/faults.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

constexpr std::array kFaults = {Fault::refuse,    Fault::hang,      Fault::reset,
                                Fault::stall,     Fault::cut,       Fault::status503,
                                Fault::status429, Fault::status500, Fault::malformed,
                                Fault::badjson,   Fault::status529, Fault::error_event};

std::optional<Fault> fault_named(std::string_view name) {
  for (const Fault fault : kFaults) {
    if (name_of(fault) == name) return fault;
  }
  return std::nullopt;
}

std::string_view name_of(Lie lie) {
  return lie == Lie::zero ? "zero" : lie == Lie::overload ? "overload" : "off";
}

bool concerns_server(std::string_view key) {
  return key == "listen" || key == "listen_off_s" || key == "drop" || key == "counters_restart";
}

}  // namespace

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "none";
    case Fault::refuse:
      return "refuse";
    case Fault::hang:
      return "hang";
    case Fault::reset:
      return "reset";
    case Fault::stall:
      return "stall";
    case Fault::cut:
      return "cut";
    case Fault::status503:
      return "status503";
    case Fault::status429:
      return "status429";
    case Fault::status500:
      return "status500";
    case Fault::malformed:
      return "malformed";
    case Fault::badjson:
      return "badjson";
    case Fault::status529:
      return "status529";
    case Fault::error_event:
      return "error_event";
  }
  return "none";
}

double Faults::chance() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return static_cast<double>(mix(state_) >> 11) * 0x1.0p-53;
}

FaultDraw Faults::draw() {
  FaultDraw result;
  double level = chance();
  result.place = chance();
  for (const auto& [fault, probability] : probability_) {
    if (level < probability) {
      result.fault = fault;
      return result;
    }
    level -= probability;
  }
  return result;
}

nlohmann::json Faults::wish_of(std::string_view text) {
  nlohmann::json wish = nlohmann::json::object();
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::size_t equals = part.find('=');
    const std::string key(part.substr(0, equals));
    const std::string value(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
    wish[key] = parsed.is_discarded() ? nlohmann::json(value) : parsed;
  }
  return wish;
}

std::optional<std::string> Faults::apply(const nlohmann::json& wish) {
  if (!wish.is_object()) return "a JSON object is expected";
  Faults changed = *this;
  if (wish.contains("clear") && wish["clear"] == true) changed.probability_.clear();
  for (const auto& [key, value] : wish.items()) {
    if (auto error = changed.set(key, value)) return error;
  }
  *this = changed;
  return std::nullopt;
}

std::optional<std::string> Faults::set_lie(const nlohmann::json& value) {
  for (const Lie lie : {Lie::off, Lie::zero, Lie::overload}) {
    if (value == name_of(lie)) {
      lie_ = lie;
      return std::nullopt;
    }
  }
  return "lie is one of off, zero, overload";
}

std::optional<std::string> Faults::set_name(const nlohmann::json& value) {
  if (!value.is_string()) return "rename is old/new";
  const auto text = value.get<std::string>();
  const std::size_t slash = text.find('/');
  if (!text.empty() && (slash == std::string::npos || slash == 0)) return "rename is old/new";
  window_.renamed_metric = text.substr(0, slash);
  window_.new_name = text.empty() ? "" : text.substr(slash + 1);
  return std::nullopt;
}

bool* Faults::switch_named(std::string_view key) {
  if (key == "metrics_frozen") return &window_.frozen;
  return key == "sleeping" ? &window_.asleep : nullptr;
}

double* Faults::window_seconds(std::string_view key) {
  if (key == "metrics_refresh_s") return &window_.refresh_s;
  if (key == "metrics_hold_s") return &window_.hold_s;
  if (key == "metrics_lag_s") return &window_.lag_s;
  return key == "metrics_late_s" ? &window_.late_s : nullptr;
}

std::optional<std::string> Faults::set(const std::string& key, const nlohmann::json& value) {
  if (key == "clear" || concerns_server(key)) return std::nullopt;
  if (key == "lie") return set_lie(value);
  if (key == "rename") return set_name(value);
  if (bool* const on = switch_named(key)) {
    if (!value.is_boolean()) return fmt::format("{} is true or false", key);
    *on = value.get<bool>();
    return std::nullopt;
  }
  if (!value.is_number()) return fmt::format("{} is not a known number", key);
  const double number = value.get<double>();
  if (key == "seed") {
    state_ = static_cast<std::uint64_t>(number);
  } else if (double* const seconds = window_seconds(key); seconds != nullptr && number >= 0) {
    *seconds = number;
  } else if (key == "slow" && number > 0) {
    slow_ = number;
  } else if (key == "retry_after_s" && number >= 0) {
    retry_after_s_ = static_cast<int>(number);
  } else if (const auto fault = fault_named(key); fault && number >= 0 && number <= 1) {
    probability_[*fault] = number;
  } else {
    return fmt::format("{}: no such fault, or not within its range", key);
  }
  return std::nullopt;
}

nlohmann::json Faults::describe() const {
  nlohmann::json result = {
      {"lie", name_of(lie_)},
      {"slow", slow_},
      {"retry_after_s", retry_after_s_},
      {"metrics_refresh_s", window_.refresh_s},
      {"metrics_hold_s", window_.hold_s},
      {"metrics_lag_s", window_.lag_s},
      {"metrics_frozen", window_.frozen},
      {"metrics_late_s", window_.late_s},
      {"sleeping", window_.asleep},
      {"rename",
       window_.renamed_metric.empty() ? "" : window_.renamed_metric + "/" + window_.new_name}};
  for (const Fault fault : kFaults) {
    const auto found = probability_.find(fault);
    result[std::string(name_of(fault))] = found == probability_.end() ? 0.0 : found->second;
  }
  return result;
}

}  // namespace sluice::testbed
