#include "firmware/rehearse/arrivals.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "firmware/base/text.h"
#include "firmware/ports/json.h"

namespace sluice::rehearse {

namespace {

enum class Format { azure, columns, mooncake };

constexpr std::string_view kAzureHead = "TIMESTAMP,ContextTokens,GeneratedTokens";
constexpr std::string_view kColumnsHead = "t_s,client,input_tokens,output_tokens";
constexpr std::string_view kMooncakeLine =
    "{\"timestamp\": ms, \"input_length\": tokens, \"output_length\": tokens}";
constexpr size_t kShownMax = 60;  // of a bad line
constexpr int64_t kDaySeconds = 24ll * 3600;

std::string shown(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, kShownMax)) {
    text += static_cast<unsigned char>(c) >= ' ' && c != 0x7f ? c : '?';
  }
  return line.size() > kShownMax ? text + "..." : text;
}

Error broken(size_t line, std::string_view text, std::string_view wanted) {
  return {
      ErrorKind::broken, "trace",
      "line " + std::to_string(line) + ": \"" + shown(text) + "\" is not " + std::string(wanted)};
}

bool read_us(double seconds, int64_t& us) {
  if (!(std::abs(seconds) <= kArrivalSecondsMax)) return false;
  us = std::llround(seconds * 1e6);
  return true;
}

bool read_tokens(std::string_view text, int64_t& tokens) {
  const std::optional<int64_t> read = to_integer(trim(text));
  if (!read || *read < 0 || *read > kArrivalTokensMax) return false;
  tokens = std::max<int64_t>(1, *read);
  return true;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) --year;
  const int64_t shifted = month > 2 ? month - 3 : month + 9;  // March is the first
  return 365 * year + year / 4 - year / 100 + year / 400 + (153 * shifted + 2) / 5 + day - 719469;
}

// "2023-11-16 18:15:46.6805900", perhaps with the zone +00:00 behind it, as seconds.
std::optional<double> moment_seconds(std::string_view text) {
  if (text.ends_with("+00:00")) text.remove_suffix(6);
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != ' ') return std::nullopt;
  const auto year = to_integer(text.substr(0, 4));
  const auto month = to_integer(text.substr(5, 2));
  const auto day = to_integer(text.substr(8, 2));
  const auto hour = to_integer(text.substr(11, 2));
  const auto minute = to_integer(text.substr(14, 2));
  const auto second = to_number(text.substr(17));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *year < 1970) return std::nullopt;
  if (*hour < 0 || *hour > 23 || *minute < 0 || *minute > 59) return std::nullopt;
  if (!(*second >= 0 && *second < 61)) return std::nullopt;
  const int64_t whole = days_of(*year, *month, *day) * kDaySeconds + *hour * 3600 + *minute * 60;
  return static_cast<double>(whole) + *second;
}

bool read_azure(std::string_view line, Arrival& made) {
  const std::vector<std::string_view> cells = split(line, ',');
  if (cells.size() != 3) return false;
  const std::optional<double> at = moment_seconds(cells[0]);
  return at && read_us(*at, made.at_us) && read_tokens(cells[1], made.prompt_tokens) &&
         read_tokens(cells[2], made.output_tokens);
}

bool read_columns(std::string_view line, Arrival& made) {
  const std::vector<std::string_view> cells = split(line, ',');
  if (cells.size() < 4) return false;
  const std::optional<double> at = to_number(trim(cells[0]));
  const std::optional<int64_t> client = to_integer(trim(cells[1]));
  if (!at || !client || *client < 0 || *client > UINT32_MAX) return false;
  made.client = static_cast<uint32_t>(*client);
  return read_us(*at, made.at_us) && read_tokens(cells[2], made.prompt_tokens) &&
         read_tokens(cells[3], made.output_tokens);
}

bool read_count(const ports::JsonValue& json, const char* name, int64_t& tokens) {
  const ports::JsonValue* member = json.find(name);
  if (member == nullptr || member->as_integer() == nullptr) return false;
  tokens = std::max<int64_t>(1, *member->as_integer());
  return *member->as_integer() >= 0 && tokens <= kArrivalTokensMax;
}

bool read_mooncake(std::string_view line, Arrival& made) {
  const Result<ports::JsonValue> json = ports::parse_json(line);
  if (!json || json->find("timestamp") == nullptr) return false;
  if (!read_us(json->number("timestamp", NAN) / 1e3, made.at_us)) return false;
  if (!read_count(*json, "input_length", made.prompt_tokens) ||
      !read_count(*json, "output_length", made.output_tokens)) {
    return false;
  }
  const ports::JsonValue* blocks = json->find("hash_ids");
  if (blocks == nullptr || blocks->as_array() == nullptr) return true;
  for (const ports::JsonValue& block : *blocks->as_array()) {
    if (block.as_integer() == nullptr) return false;
    made.blocks.push_back(static_cast<uint64_t>(*block.as_integer()));
  }
  return true;
}

std::optional<Format> format_of(std::string_view first) {
  if (first == kAzureHead) return Format::azure;
  if (first.starts_with(kColumnsHead)) return Format::columns;
  if (first.starts_with("{")) return Format::mooncake;
  return std::nullopt;
}

bool read_line(Format format, std::string_view line, Arrival& made) {
  switch (format) {
    case Format::azure:
      return read_azure(line, made);
    case Format::columns:
      return read_columns(line, made);
    case Format::mooncake:
      break;
  }
  return read_mooncake(line, made);
}

std::string_view wanted(Format format) {
  switch (format) {
    case Format::azure:
      return "\"2023-11-16 18:15:46.68, prompt tokens, output tokens\" (without blanks)";
    case Format::columns:
      return "seconds, a client's number, prompt tokens and output tokens, with commas";
    case Format::mooncake:
      break;
  }
  return kMooncakeLine;
}

std::string known_formats() {
  return "the head of a trace that is known here. Begin with a line \"" + std::string(kAzureHead) +
         "\" or \"" + std::string(kColumnsHead) + "\", or give lines of JSON " +
         std::string(kMooncakeLine);
}

double span_seconds(const Trace& trace) {
  return trace.empty() ? 0 : static_cast<double>(trace.back().at_us) / 1e6;
}

Trace stretched(Trace trace, double factor) {
  for (Arrival& arrival : trace) {
    const double us = static_cast<double>(arrival.at_us) * factor;
    arrival.at_us = std::llround(std::min(us, kArrivalSecondsMax * 1e6));
  }
  return trace;
}

}  // namespace

Result<Trace> parse_trace(std::string_view text) {
  std::optional<Format> format;
  Trace trace;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (!format) {
      format = format_of(line);
      if (!format) return broken(number, line, known_formats());
      if (*format != Format::mooncake) continue;  // a head of names
    }
    Arrival made;
    if (!read_line(*format, line, made)) return broken(number, line, wanted(*format));
    if (trace.size() >= kArrivalsMax) {
      return Error{ErrorKind::refused, "trace",
                   "line " + std::to_string(number) + ": more than " +
                       std::to_string(kArrivalsMax) + " requests; cut the trace"};
    }
    trace.push_back(std::move(made));
  }
  in_order_from_zero(trace);
  return trace;
}

void in_order_from_zero(Trace& trace) {
  const auto earlier = [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; };
  std::stable_sort(trace.begin(), trace.end(), earlier);
  if (trace.empty()) return;
  const int64_t first = trace.front().at_us;
  for (Arrival& arrival : trace) arrival.at_us -= first;
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
  return stretched(std::move(trace), factor);
}

Trace hurried(Trace trace, double speed) { return stretched(std::move(trace), 1 / speed); }

}  // namespace sluice::rehearse
