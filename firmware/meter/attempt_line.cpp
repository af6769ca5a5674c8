#include "firmware/meter/attempt_line.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <iterator>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/base/text.h"

namespace sluice::meter {

namespace {

constexpr std::string_view kHead = "sluice-attempts 1 ";
constexpr size_t kStartFields = 14;
constexpr size_t kEndFields = 10;
constexpr size_t kUsualLine = 256;

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\\'; }

void append_escaped(std::string& out, std::string_view text) {
  ENSURE(text.size() <= kLineTextMax);
  out.push_back('\t');
  for (char c : text) {
    if (is_plain(c)) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "\\{:02x}", static_cast<unsigned char>(c));
    }
  }
}

template <class Number>
void append_number(std::string& out, Number number, int base = 10) {
  std::array<char, 32> text;
  text[0] = '\t';
  const auto end = std::to_chars(text.data() + 1, text.data() + text.size(), number, base).ptr;
  out.append(text.data(), end);
}

template <class Number>
bool read_number(std::string_view text, Number& out, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_escaped(std::string_view text, std::string& out) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      if (!is_plain(text[at])) return false;
      out.push_back(text[at]);
      continue;
    }
    unsigned value = 0;
    if (text.size() - at < 3 || !read_number(text.substr(at + 1, 2), value, 16)) return false;
    out.push_back(static_cast<char>(value));
    at += 2;
  }
  return out.size() <= kLineTextMax;
}

bool read_place(std::string_view text, valve::Place& out) {
  if (text != "local" && text != "cloud") return false;
  out = text == "local" ? valve::Place::local : valve::Place::cloud;
  return true;
}

std::optional<JournalLine> read_start(const std::vector<std::string_view>& fields) {
  AttemptStart a;
  int64_t at_us = 0;
  const bool good = fields.size() == kStartFields && read_number(fields[1], a.id, 16) &&
                    read_escaped(fields[2], a.request) && read_escaped(fields[3], a.key) &&
                    read_escaped(fields[4], a.model) && read_escaped(fields[5], a.endpoint) &&
                    read_escaped(fields[6], a.node) && read_place(fields[7], a.place) &&
                    read_number(fields[8], a.number) && read_number(fields[9], at_us) &&
                    read_number(fields[10], a.prompt_estimate.count) &&
                    read_number(fields[11], a.price_in_nano) &&
                    read_number(fields[12], a.price_out_nano) &&
                    read_number(fields[13], a.price_cached_nano);
  if (!good) return std::nullopt;
  a.at = Date::from_us(at_us);
  return JournalStart{std::move(a)};
}

bool read_usage(const std::vector<std::string_view>& fields, AttemptEnd& end) {
  if (fields[4] == "-" && fields[5] == "-" && fields[6] == "-") return true;
  end.reported = true;
  return read_number(fields[4], end.in_reported.count) &&
         read_number(fields[5], end.out_reported.count) &&
         read_number(fields[6], end.cached_reported.count);
}

std::optional<JournalLine> read_end(const std::vector<std::string_view>& fields) {
  JournalEnd e;
  int64_t first_byte_us = 0;
  int64_t total_us = 0;
  const bool good = fields.size() == kEndFields && read_number(fields[1], e.id, 16) &&
                    read_number(fields[3], e.end.status) && read_usage(fields, e.end) &&
                    read_number(fields[7], e.end.out_counted.count) &&
                    read_number(fields[8], first_byte_us) && read_number(fields[9], total_us);
  if (!good) return std::nullopt;
  const std::optional<Outcome> outcome = outcome_from_text(fields[2]);
  if (!outcome) return std::nullopt;
  e.end.outcome = *outcome;
  e.end.first_byte = Duration::us(first_byte_us);
  e.end.total = Duration::us(total_us);
  return e;
}

}  // namespace

std::string journal_head(Currency currency) {
  return fmt::format("{}{}\n", kHead, currency.text());
}

std::string journal_line(const AttemptStart& attempt) {
  std::string line;
  line.reserve(kUsualLine);
  line += 'S';
  append_number(line, attempt.id, 16);
  append_escaped(line, attempt.request);
  append_escaped(line, attempt.key);
  append_escaped(line, attempt.model);
  append_escaped(line, attempt.endpoint);
  append_escaped(line, attempt.node);
  line += attempt.place == valve::Place::local ? "\tlocal" : "\tcloud";
  append_number(line, attempt.number);
  append_number(line, attempt.at.as_us());
  append_number(line, attempt.prompt_estimate.count);
  append_number(line, attempt.price_in_nano);
  append_number(line, attempt.price_out_nano);
  append_number(line, attempt.price_cached_nano);
  line += '\n';
  return line;
}

std::string journal_line(uint64_t id, const AttemptEnd& end) {
  std::string line;
  line.reserve(kUsualLine);
  line += 'E';
  append_number(line, id, 16);
  line += '\t';
  line += to_text(end.outcome);
  append_number(line, end.status);
  if (end.reported) {
    append_number(line, end.in_reported.count);
    append_number(line, end.out_reported.count);
    append_number(line, end.cached_reported.count);
  } else {
    line += "\t-\t-\t-";
  }
  append_number(line, end.out_counted.count);
  append_number(line, end.first_byte.as_us());
  append_number(line, end.total.as_us());
  line += '\n';
  return line;
}

std::optional<Currency> read_journal_head(std::string_view line) {
  Currency currency;
  if (line.substr(0, kHead.size()) != kHead) return std::nullopt;
  if (!Currency::parse(line.substr(kHead.size()), &currency)) return std::nullopt;
  return currency;
}

std::optional<JournalLine> read_journal_line(std::string_view line) {
  const std::vector<std::string_view> fields = split(line, '\t');
  if (fields[0] == "S") return read_start(fields);
  if (fields[0] == "E") return read_end(fields);
  return std::nullopt;
}

}  // namespace sluice::meter
