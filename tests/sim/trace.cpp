#include "tests/sim/trace.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>

#include "firmware/ports/json.h"

namespace sluice::sim {

namespace {

constexpr double kOutputWeight = 4;
constexpr int64_t kPeakUs = 600'000'000;
constexpr int64_t kDayUs = 24ll * 3600 * 1'000'000;

enum class Format { azure, servegen, mooncake };

Error broken(size_t line, const char* what) {
  return {ErrorKind::broken, "trace", "line " + std::to_string(line) + ": " + what};
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class T>
bool number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// "2023-11-16 18:15:46.6805900" in microseconds since midnight of some day; days count from the
// first of the month, which is enough for an hour.
std::optional<int64_t> moment_us(std::string_view text) {
  if (text.size() < 19 || text[10] != ' ') return std::nullopt;
  int64_t day = 0;
  int64_t hour = 0;
  int64_t minute = 0;
  double second = 0;
  if (!number(text.substr(8, 2), day) || !number(text.substr(11, 2), hour) ||
      !number(text.substr(14, 2), minute) || !number(text.substr(17), second)) {
    return std::nullopt;
  }
  return day * kDayUs + (hour * 60 + minute) * 60'000'000 + std::llround(second * 1e6);
}

bool read_azure(const std::vector<std::string_view>& cells, Arrival& made) {
  if (cells.size() != 3) return false;
  const auto at = moment_us(cells[0]);
  if (!at) return false;
  made.at_us = *at;
  return number(cells[1], made.prompt_tokens) && number(cells[2], made.output_tokens);
}

bool read_servegen(const std::vector<std::string_view>& cells, Arrival& made) {
  double at_s = 0;
  if (cells.size() < 4 || !number(cells[0], at_s)) return false;
  made.at_us = std::llround(at_s * 1e6);
  return number(cells[1], made.client) && number(cells[2], made.prompt_tokens) &&
         number(cells[3], made.output_tokens);
}

bool read_mooncake(std::string_view line, Arrival& made) {
  const Result<ports::JsonValue> json = ports::parse_json(line);
  if (!json || json->find("timestamp") == nullptr) return false;
  made.at_us = std::llround(json->number("timestamp") * 1e3);
  made.prompt_tokens = json->integer("input_length");
  made.output_tokens = json->integer("output_length");
  const ports::JsonValue* blocks = json->find("hash_ids");
  if (blocks == nullptr || blocks->as_array() == nullptr) return true;
  for (const ports::JsonValue& block : *blocks->as_array()) {
    if (block.as_integer() == nullptr) return false;
    made.blocks.push_back(static_cast<uint64_t>(*block.as_integer()));
  }
  return true;
}

std::optional<Format> format_of(std::string_view first) {
  if (first.starts_with("TIMESTAMP,")) return Format::azure;
  if (first.starts_with("t_s,client,")) return Format::servegen;
  if (first.starts_with("{")) return Format::mooncake;
  return std::nullopt;
}

void in_order_from_zero(Trace& trace) {
  const auto earlier = [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; };
  std::stable_sort(trace.begin(), trace.end(), earlier);
  if (trace.empty()) return;
  const int64_t first = trace.front().at_us;
  for (Arrival& arrival : trace) arrival.at_us -= first;
}

double span_seconds(const Trace& trace) {
  return trace.empty() ? 0 : static_cast<double>(trace.back().at_us) / 1e6;
}

}  // namespace

Result<Trace> parse_trace(std::string_view text) {
  std::optional<Format> format;
  Trace trace;
  size_t number_of_line = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number_of_line;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (!format) {
      format = format_of(line);
      if (!format) return broken(number_of_line, "neither of Azure, ServeGen nor Mooncake");
      if (format != Format::mooncake) continue;  // a head of names
    }
    Arrival made;
    const bool read = format == Format::azure      ? read_azure(split(line, ','), made)
                      : format == Format::servegen ? read_servegen(split(line, ','), made)
                                                   : read_mooncake(line, made);
    if (!read) return broken(number_of_line, "fields are missing or not numbers");
    made.prompt_tokens = std::max<int64_t>(1, made.prompt_tokens);
    made.output_tokens = std::max<int64_t>(1, made.output_tokens);
    trace.push_back(std::move(made));
  }
  in_order_from_zero(trace);
  return trace;
}

Result<Trace> read_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::gone, "trace", path + " cannot be read"};
  std::ostringstream text;
  text << file.rdbuf();
  return parse_trace(text.str());
}

double work_seconds(const Arrival& arrival, const WorkLaw& law) {
  const auto prompt = static_cast<double>(arrival.prompt_tokens);
  const auto output = static_cast<double>(arrival.output_tokens);
  return law.per_prompt_token_s * prompt +
         output * (law.per_sequence_s + law.per_kv_token_s * (prompt + output / 2));
}

double offered_load(const Trace& trace, const WorkLaw& law) {
  double work = 0;
  for (const Arrival& arrival : trace) work += work_seconds(arrival, law);
  const double time = (1 - law.step_s / kStepSecondsMax) * span_seconds(trace);
  return time > 0 ? work / time : 0;
}

Trace dilated(Trace trace, const WorkLaw& law, double rho) {
  const double factor = offered_load(trace, law) / rho;
  for (Arrival& arrival : trace) {
    arrival.at_us = std::llround(static_cast<double>(arrival.at_us) * factor);
  }
  return trace;
}

Trace slice(const Trace& trace, int64_t from_us, int64_t length_us) {
  Trace cut;
  for (const Arrival& arrival : trace) {
    if (arrival.at_us < from_us || arrival.at_us >= from_us + length_us) continue;
    cut.push_back(arrival);
    cut.back().at_us -= from_us;
  }
  return cut;
}

int64_t peak_begin_us(const Trace& trace, const WorkLaw& law, int64_t length_us) {
  if (trace.empty()) return 0;
  std::vector<double> work(static_cast<size_t>(trace.back().at_us / kPeakUs) + 1);
  for (const Arrival& arrival : trace) {
    work[static_cast<size_t>(arrival.at_us / kPeakUs)] += work_seconds(arrival, law);
  }
  const auto peak = std::max_element(work.begin(), work.end()) - work.begin();
  const int64_t middle = peak * kPeakUs + kPeakUs / 2;
  const int64_t last = std::max<int64_t>(0, trace.back().at_us - length_us);
  return std::clamp<int64_t>(middle - length_us / 2, 0, last);
}

double weighted_tokens(const Arrival& arrival) {
  return static_cast<double>(arrival.prompt_tokens) +
         kOutputWeight * static_cast<double>(arrival.output_tokens);
}

}  // namespace sluice::sim
