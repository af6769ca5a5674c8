#include "firmware/sense/exposition.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "firmware/base/text.h"

namespace sluice::sense {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// What is left of one line. The take_ functions return an empty view where nothing fits.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool starts_with(char c) const { return !rest_.empty() && rest_.front() == c; }
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (!starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view take_name(bool with_colons) {
    size_t n = 0;
    while (n < rest_.size() && (is_name_start(rest_[n]) || (with_colons && rest_[n] == ':') ||
                                (n > 0 && is_digit(rest_[n])))) {
      ++n;
    }
    return take_first(n);
  }
  std::string_view take_word() {
    size_t n = 0;
    while (n < rest_.size() && !is_blank(rest_[n])) ++n;
    return take_first(n);
  }
  // After the opening quote, up to and including the closing one.
  std::optional<std::string_view> take_quoted_rest() {
    for (size_t n = 0; n < rest_.size(); ++n) {
      if (rest_[n] == '"') {
        const std::string_view value = take_first(n);
        rest_.remove_prefix(1);
        return value;
      }
      if (rest_[n] != '\\') continue;
      ++n;
      if (n == rest_.size()) break;
      if (rest_[n] != '\\' && rest_[n] != '"' && rest_[n] != 'n') break;
    }
    return std::nullopt;
  }

 private:
  std::string_view take_first(size_t n) {
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::string_view rest_;
};

// Go's float syntax without hexadecimal digits and underscores.
std::optional<double> to_value(std::string_view word) {
  const size_t sign = !word.empty() && (word[0] == '+' || word[0] == '-') ? 1 : 0;
  if (sign == 1 && word.size() > 1 && (word[1] == '+' || word[1] == '-')) return std::nullopt;
  if (word.find('(') != std::string_view::npos) return std::nullopt;  // "nan(chars)" of strtod
  return to_number(word);
}

std::optional<int64_t> to_timestamp_ms(std::string_view word, bool open_metrics) {
  if (!open_metrics) return to_integer(word);
  const std::optional<double> seconds = to_value(word);
  if (!seconds || !(std::abs(*seconds) < 9e15)) return std::nullopt;
  return static_cast<int64_t>(std::llround(*seconds * 1000));
}

class PageReader {
 public:
  explicit PageReader(const ExpositionLimits& limits)
      : limits_(limits), open_metrics_(limits.open_metrics) {}

  Exposition read(std::string_view text) {
    text = bounded(text);
    open_metrics_ = open_metrics_ || trim(text).ends_with("\n# EOF");
    while (!text.empty()) {
      const size_t end = text.find('\n');
      read_line(trim(text.substr(0, end)));
      if (page_.truncated && page_.samples.size() >= limits_.samples_max) break;
      if (end == std::string_view::npos) break;
      text.remove_prefix(end + 1);
    }
    drop_duplicates();
    return std::move(page_);
  }

 private:
  // Cut after the last whole line within the limit.
  std::string_view bounded(std::string_view text) {
    const size_t bytes_max = static_cast<size_t>(std::max<int64_t>(limits_.bytes_max.count, 0));
    if (text.size() <= bytes_max) return text;
    page_.truncated = true;
    const size_t last = text.substr(0, bytes_max).rfind('\n');
    return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
  }

  void read_line(std::string_view text) {
    if (text.empty() || text.front() == '#') return;
    Line line(text);
    Sample sample;
    sample.name = line.take_name(true);
    if (!is_wanted(sample.name)) return;
    if (page_.samples.size() >= limits_.samples_max) {
      page_.truncated = true;
      return;
    }
    sample.first_label = static_cast<uint32_t>(page_.label_pool.size());
    if (!sample.name.empty() && read_labels(line) && read_value(line, sample)) {
      sample.label_count = static_cast<uint32_t>(page_.label_pool.size()) - sample.first_label;
      page_.samples.push_back(sample);
    } else {
      page_.label_pool.resize(sample.first_label);
      ++page_.bad_lines;
    }
  }

  bool is_wanted(std::string_view name) const {
    return limits_.names.empty() ||
           std::binary_search(limits_.names.begin(), limits_.names.end(), name);
  }

  // A name is followed by a blank or by "{"; between "}" and the value no blank is needed.
  bool read_labels(Line& line) {
    if (!line.starts_with(' ') && !line.starts_with('\t') && !line.starts_with('{')) return false;
    line.skip_blanks();
    if (!line.take('{')) return true;
    const size_t first = page_.label_pool.size();
    line.skip_blanks();
    while (!line.take('}')) {
      if (!read_label(line)) return false;
      if (page_.label_pool.size() - first > kExpositionLabelsMax) return false;
      line.skip_blanks();
      if (!line.take(',') && !line.starts_with('}')) return false;
      line.skip_blanks();
    }
    line.skip_blanks();
    return sort_labels(first);
  }

  bool read_label(Line& line) {
    Label label;
    label.name = line.take_name(false);
    line.skip_blanks();
    if (label.name.empty() || !line.take('=')) return false;
    line.skip_blanks();
    if (!line.take('"')) return false;
    const std::optional<std::string_view> value = line.take_quoted_rest();
    if (!value) return false;
    label.escaped = *value;
    page_.label_pool.push_back(label);
    return true;
  }

  // False if a label name stands twice.
  bool sort_labels(size_t first) {
    const auto begin = page_.label_pool.begin() + static_cast<ptrdiff_t>(first);
    const auto end = page_.label_pool.end();
    std::sort(begin, end, [](const Label& a, const Label& b) { return a.name < b.name; });
    return std::adjacent_find(
               begin, end, [](const Label& a, const Label& b) { return a.name == b.name; }) == end;
  }

  bool read_value(Line& line, Sample& sample) const {
    const std::optional<double> value = to_value(line.take_word());
    if (!value) return false;
    sample.value = *value;
    line.skip_blanks();
    if (line.at_end() || is_exemplar(line)) return true;
    sample.timestamp_ms = to_timestamp_ms(line.take_word(), open_metrics_);
    if (!sample.timestamp_ms) return false;
    line.skip_blanks();
    return line.at_end() || is_exemplar(line);
  }
  bool is_exemplar(const Line& line) const { return open_metrics_ && line.starts_with('#'); }

  int compare_series(const Sample& a, const Sample& b) const {
    if (const int names = a.name.compare(b.name); names != 0) return names;
    const auto left = page_.labels(a);
    const auto right = page_.labels(b);
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    for (size_t i = 0; i < left.size(); ++i) {
      if (const int n = left[i].name.compare(right[i].name); n != 0) return n;
      if (const int n = left[i].escaped.compare(right[i].escaped); n != 0) return n;
    }
    return 0;
  }

  // Equal series become neighbours when sorted; of each run the last on the page stays. A label
  // value has one way to be written, so that escaped texts can be compared.
  void drop_duplicates() {
    const std::vector<Sample>& samples = page_.samples;
    std::vector<uint32_t> order(samples.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const int series = compare_series(samples[a], samples[b]);
      return series != 0 ? series < 0 : a < b;
    });
    std::vector<bool> dead(samples.size(), false);
    for (size_t i = 0; i + 1 < order.size(); ++i) {
      if (compare_series(samples[order[i]], samples[order[i + 1]]) != 0) continue;
      dead[order[i]] = true;
      ++page_.duplicates;
    }
    if (page_.duplicates == 0) return;
    size_t kept = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!dead[i]) page_.samples[kept++] = page_.samples[i];
    }
    page_.samples.resize(kept);
  }

  const ExpositionLimits& limits_;
  bool open_metrics_;
  Exposition page_;
};

}  // namespace

const Label* Exposition::label(const Sample& sample, std::string_view name) const {
  for (const Label& candidate : labels(sample)) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

Exposition parse_exposition(std::string_view text, const ExpositionLimits& limits) {
  return PageReader(limits).read(text);
}

std::string unescape_label(std::string_view escaped) {
  std::string value;
  value.reserve(escaped.size());
  for (size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\' || i + 1 == escaped.size()) {
      value += escaped[i];
      continue;
    }
    ++i;
    value += escaped[i] == 'n' ? '\n' : escaped[i];
  }
  return value;
}

}  // namespace sluice::sense
