#include "tests/testbed/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace sluice::testbed {

namespace {

struct TraceLine {
  double at_s = 0;
  double input = -1;
  double output = -1;
};

std::optional<TraceLine> read_json(const std::string& text) {
  const auto object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto number = [&object](const char* key, const char* other, double otherwise) {
    for (const char* name : {key, other}) {
      if (object.contains(name) && object[name].is_number()) return object[name].get<double>();
    }
    return otherwise;
  };
  const double at_ms = number("timestamp", "timestamp_ms", std::nan(""));
  const double at_s = number("arrival_s", "arrival", at_ms / 1000);
  if (std::isnan(at_s)) return std::nullopt;
  return TraceLine{.at_s = at_s,
                   .input = number("input_length", "input_tokens", -1),
                   .output = number("output_length", "output_tokens", -1)};
}

std::optional<TraceLine> read_csv(const std::string& text) {
  TraceLine line;
  if (std::sscanf(text.c_str(), "%lf , %lf , %lf", &line.at_s, &line.input, &line.output) < 1) {
    return std::nullopt;
  }
  return line;
}

}  // namespace

std::optional<Arrival> PoissonArrivals::next() {
  const double chance = (static_cast<double>(chance_() >> 11) + 0.5) * 0x1.0p-53;
  at_s_ += -std::log(chance) / rate_;
  return Arrival{.at = from_seconds(at_s_)};
}

std::optional<std::string> TraceArrivals::load(const std::string& file, double time_scale) {
  std::ifstream input(file);
  if (!input) return fmt::format("cannot read {}", file);
  std::string text;
  for (int number = 1; std::getline(input, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto line = text.front() == '{' ? read_json(text) : read_csv(text);
    if (!line && number == 1) continue;
    if (!line) return fmt::format("{}:{}: neither CSV nor JSON of a request", file, number);
    arrivals_.push_back(Arrival{.at = from_seconds(line->at_s / time_scale),
                                .prompt_tokens = static_cast<std::int64_t>(line->input),
                                .output_tokens = static_cast<std::int64_t>(line->output)});
  }
  if (arrivals_.empty()) return fmt::format("{} names no request", file);
  std::stable_sort(arrivals_.begin(), arrivals_.end(),
                   [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
  const Micros first = arrivals_.front().at;
  for (Arrival& arrival : arrivals_) arrival.at -= first;
  return std::nullopt;
}

std::optional<Arrival> TraceArrivals::next() {
  if (place_ == arrivals_.size()) return std::nullopt;
  return arrivals_[place_++];
}

}  // namespace sluice::testbed
