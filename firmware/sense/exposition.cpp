#include "firmware/sense/exposition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "firmware/base/text.h"
#include "firmware/sense/page_sieve.h"

namespace sluice::sense {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What is left of one line. The take_ functions return an empty view where nothing fits.
class Line {
 public:
  explicit Line(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool at_end() const { return at_ == end_; }
  bool starts_with(char c) const { return at_ != end_ && *at_ == c; }
  void skip_blanks() {
    while (at_ != end_ && is_blank(*at_)) ++at_;
  }
  bool take(char c) {
    if (!starts_with(c)) return false;
    ++at_;
    return true;
  }
  void skip(size_t count) { at_ += count; }
  std::string_view take_label_name() {
    const char* at = at_;
    while (at != end_ && (is_letter(*at) || (at != at_ && is_digit(*at)))) ++at;
    return take_until(at);
  }
  std::string_view take_word() {
    const char* at = at_;
    while (at != end_ && !is_blank(*at)) ++at;
    return take_until(at);
  }
  // After the opening quote, up to and including the closing one.
  std::optional<std::string_view> take_quoted_rest() {
    for (const char* at = at_; at != end_; ++at) {
      if (*at == '"') {
        const std::string_view value = take_until(at);
        ++at_;
        return value;
      }
      if (*at != '\\') continue;
      ++at;
      if (at == end_) break;
      if (*at != '\\' && *at != '"' && *at != 'n') break;
    }
    return std::nullopt;
  }

 private:
  std::string_view take_until(const char* at) {
    const std::string_view taken(at_, static_cast<size_t>(at - at_));
    at_ = at;
    return taken;
  }
  const char* at_;
  const char* end_;
};

// Go's float syntax without hexadecimal digits and underscores.
std::optional<double> to_value(std::string_view word) {
  double value = 0;  // what nearly all values are
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error == std::errc() && end == word.data() + word.size() && std::isfinite(value))
    return value;
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

// Eight bytes at a time; short texts are padded with their own length.
uint64_t mixed(uint64_t hash, std::string_view text) {
  const auto stir = [&hash](uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 32U;
  };
  const char* at = text.data();
  size_t left = text.size();
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    stir(word);
  }
  uint64_t word = uint64_t{text.size()} << 56U;
  std::memcpy(&word, at, left);
  stir(word);
  return hash;
}

constexpr size_t kUsualLine = 80;  // bytes
constexpr uint32_t kNobody = UINT32_MAX;
constexpr int kLooksMax = 64;  // with half of the slots free: never, by chance

class PageReader {
 public:
  explicit PageReader(const ExpositionLimits& limits)
      : limits_(limits), open_metrics_(limits.open_metrics), wanted_(limits.names) {}

  Exposition read(std::string_view text) {
    text = bounded(text);
    open_metrics_ = open_metrics_ || trim(text).ends_with("\n# EOF");
    const size_t lines = std::min(text.size() / kUsualLine + 1, limits_.samples_max);
    page_.samples.reserve(lines);
    page_.label_pool.reserve(2 * lines);
    while (!text.empty()) {
      const size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      if (!line.empty() && line.front() != '#') read_line(trim(line));
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
    if (!wanted_.has(text, sample.name)) return;
    line.skip(sample.name.size());
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
    label.name = line.take_label_name();
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
    Label* const labels = page_.label_pool.data();
    for (size_t i = first + 1; i < page_.label_pool.size(); ++i) {
      for (size_t j = i; j > first; --j) {
        const int order = labels[j - 1].name.compare(labels[j].name);
        if (order == 0) return false;
        if (order < 0) break;
        std::swap(labels[j - 1], labels[j]);
      }
    }
    return true;
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

  bool is_same_series(const Sample& a, const Sample& b) const {
    const auto left = page_.labels(a);
    const auto right = page_.labels(b);
    return a.name == b.name && std::equal(left.begin(), left.end(), right.begin(), right.end());
  }

  // Series that differ in the names of labels only are told apart when they are compared.
  uint64_t hash_of(const Sample& sample) const {
    uint64_t hash = mixed(0, sample.name);
    for (const Label& label : page_.labels(sample)) {
      hash = mixed(hash, label.escaped);
    }
    return hash;
  }

  // Of samples of one series, the last on the page stays. A label value has one way to be written,
  // so that escaped texts can be compared. In a page made so that hashes collide, some twice-told
  // series stay: looking longer for them would make the page slow to read.
  void drop_duplicates() {
    std::vector<Sample>& samples = page_.samples;
    size_t slots = 16;
    while (slots < samples.size() * 2) slots *= 2;
    std::vector<uint32_t> last(slots, kNobody);  // of the series that has the slot
    std::vector<bool> dead;
    for (uint32_t i = 0; i < samples.size(); ++i) {
      size_t slot = hash_of(samples[i]) & (slots - 1);
      int looks = 0;
      while (last[slot] != kNobody && looks < kLooksMax &&
             !is_same_series(samples[last[slot]], samples[i])) {
        slot = (slot + 1) & (slots - 1);
        ++looks;
      }
      if (looks == kLooksMax) continue;
      if (last[slot] != kNobody) {
        dead.resize(samples.size());
        dead[last[slot]] = true;
        ++page_.duplicates;
      }
      last[slot] = i;
    }
    if (dead.empty()) return;
    size_t kept = 0;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (!dead[i]) samples[kept++] = samples[i];
    }
    samples.resize(kept);
  }

  const ExpositionLimits& limits_;
  bool open_metrics_;
  WantedNames wanted_;
  Exposition page_;
};

}  // namespace

const Label* Exposition::label(const Sample& sample, std::string_view name) const {
  for (const Label& candidate : labels(sample)) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

bool says_open_metrics(std::string_view content_type) {
  return starts_with_ignoring_case(content_type, "application/openmetrics-text");
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
