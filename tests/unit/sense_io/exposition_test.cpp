#include "firmware/sense/exposition.h"

#include <cmath>

#include "firmware/base/text.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

const Sample* find(const Exposition& page, std::string_view name, std::string_view label = "",
                   std::string_view value = "") {
  for (const Sample& sample : page.samples) {
    if (sample.name != name) continue;
    const Label* found = page.label(sample, label);
    if (label.empty() || (found != nullptr && unescape_label(found->escaped) == value)) {
      return &sample;
    }
  }
  return nullptr;
}

size_t lines_with_samples(std::string_view text) {
  size_t count = 0;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view rest = trim(line);
    count += !rest.empty() && rest.front() != '#' ? 1 : 0;
  }
  return count;
}

TEST_CASE("exposition: every sample page is read whole, without a bad line") {
  int pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(sample_folder())) {
    if (entry.path().extension() != ".prom") continue;
    CAPTURE(entry.path().filename().string());
    const std::string text = read_sample(entry.path().filename().string());
    const Exposition page = parse_exposition(text);
    CHECK(page.bad_lines == 0);
    CHECK(page.duplicates == 0);
    CHECK_FALSE(page.truncated);
    CHECK(page.samples.size() == lines_with_samples(text));
    CHECK(page.samples.size() > 0);
    ++pages;
  }
  CHECK(pages == 45);
}

TEST_CASE("exposition: each invalid line is refused alone and its neighbours are kept") {
  int lines = 0;
  const std::string text = read_sample("parser-invalid-lines.txt");
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    CAPTURE(std::string(line));
    const std::string page_text = "before 1\n" + std::string(line) + "\nafter 2\n";
    const Exposition page = parse_exposition(page_text);
    CHECK(page.bad_lines == 1);
    REQUIRE(page.samples.size() == 2);
    CHECK(page.samples[0].name == "before");
    CHECK(page.samples[1].name == "after");
    CHECK(page.samples[1].value == 2);
    ++lines;
  }
  CHECK(lines == 11);
}

TEST_CASE("exposition: what Prometheus refuses for good reason is a bad line") {
  for (const char* line : {"x 0x1F",
                           "x 1_000",
                           "x{a=\"\\q\"} 1",
                           "x{a=\"1\",,b=\"2\"} 1",
                           "x{,} 1",
                           "x +-1",
                           "x --1",
                           "x nan(1)",
                           "x",
                           "x ",
                           "{} 1",
                           "x{a=\"1\"",
                           "x{a=\"1\"}",
                           "x{a=\"\\",
                           "x{a} 1",
                           "x{a=} 1",
                           "x{a:b=\"1\"} 1",
                           "x 1e999",
                           "x 1 # {t=\"1\"} 2",
                           "\x01 1",
                           "x 1 99999999999999999999"}) {
    CAPTURE(line);
    const Exposition page = parse_exposition(line);
    CHECK(page.bad_lines == 1);
    CHECK(page.samples.empty());
    CHECK(page.label_pool.empty());
  }
}

TEST_CASE("exposition: the torture page gives the values it was written with") {
  const std::string text = read_sample("parser-torture.prom");
  const Exposition page = parse_exposition(text);
  CHECK(page.samples.size() == 26);
  const Sample* escapes = find(page, "t_escapes", "path", "C:\\temp\\x");
  REQUIRE(escapes != nullptr);
  CHECK(escapes->value == 1);
  CHECK(unescape_label(page.label(*escapes, "msg")->escaped) == "he said \"hi\"");
  CHECK(unescape_label(page.label(*escapes, "nl")->escaped) == "a\nb");
  CHECK(unescape_label(page.label(*escapes, "brace")->escaped) == "{a,b=\"c\"} 7");
  CHECK(find(page, "t_leading_blanks")->value == 3);
  CHECK(find(page, "t_tabs")->timestamp_ms == 1787304050123);
  const Sample* spaces = find(page, "t_spaces_in_labels", "b", "2");
  REQUIRE(spaces != nullptr);
  CHECK(spaces->label_count == 2);
  CHECK(std::isnan(find(page, "t_specials", "v", "nan")->value));
  CHECK(find(page, "t_specials", "v", "pinf")->value == INFINITY);
  CHECK(find(page, "t_specials", "v", "minf")->value == -INFINITY);
  CHECK(find(page, "t_specials", "v", "exp")->value == 1.5e-07);
  CHECK(find(page, "t_specials", "v", "big")->value == 9223372036854775794.0);
  CHECK(find(page, "ns:with:colons", "model_name", "a,b{c}")->value == 6);
  CHECK(find(page, "negative_timestamp")->timestamp_ms == -3982045);
  CHECK_FALSE(find(page, "late_type")->timestamp_ms.has_value());
  CHECK(find(page, "utf8_label", "name", "算力-节点-一")->value == 11);
}

TEST_CASE("exposition: carriage returns and a missing last line feed do no harm") {
  const Exposition page = parse_exposition("# TYPE a gauge\r\na 1\r\n\r\nb{x=\"1\"}2\r\nc 3");
  CHECK(page.bad_lines == 0);
  REQUIRE(page.samples.size() == 3);
  CHECK(page.samples[1].value == 2);
  CHECK(page.samples[2].value == 3);
  CHECK(parse_exposition("").samples.empty());
  CHECK(parse_exposition("\n\n").bad_lines == 0);
}

TEST_CASE("exposition: a malformed page of a real engine keeps its good lines") {
  const std::string text = read_sample("mlc-llm-nonconforming.txt");
  const Exposition page = parse_exposition(text);
  CHECK(page.bad_lines == 4);
  CHECK(page.samples.size() == 12);
  CHECK(find(page, "completion_tokens_sum")->value == 2044);
}

TEST_CASE("exposition: OpenMetrics pages lose their exemplars and keep their timestamps") {
  const std::string text = read_sample("openmetrics-sample.om");
  const Exposition page = parse_exposition(text);
  CHECK(page.bad_lines == 0);
  CHECK(page.samples.size() == lines_with_samples(text));
  CHECK(find(page, "vllm:prompt_tokens_total")->timestamp_ms == 1787304050123);
  CHECK(find(page, "vllm:e2e_seconds_bucket", "le", "1.0")->value == 3);

  ExpositionLimits limits;
  CHECK(parse_exposition("a 1 2.5", limits).bad_lines == 1);
  limits.open_metrics = true;  // as the Content-Type would say
  const Exposition by_type = parse_exposition("a 1 2.5 # {t=\"1\"} 3\nb 1 nan\nc 1 1 1", limits);
  CHECK(by_type.bad_lines == 2);
  REQUIRE(by_type.samples.size() == 1);
  CHECK(by_type.samples[0].timestamp_ms == 2500);
}

TEST_CASE("exposition: of a series that stands twice the last is kept, and it is counted") {
  const Exposition page = parse_exposition(
      "a{x=\"1\",y=\"2\"} 1\nb 5\na{y=\"2\",x=\"1\"} 2\na{x=\"1\"} 3\na{x=\"1\",y=\"2\"} 4\n");
  CHECK(page.duplicates == 2);
  REQUIRE(page.samples.size() == 3);
  CHECK(page.samples[0].name == "b");
  CHECK(page.samples[1].value == 3);
  CHECK(page.samples[2].value == 4);
}

TEST_CASE("exposition: only the wanted names are kept, the others are not even checked") {
  const std::vector<std::string> names = {"a", "c"};
  ExpositionLimits limits;
  limits.names = names;
  const Exposition page = parse_exposition("a 1\nb broken line\nc{x=1} 2\nab 3\nc 4\n", limits);
  CHECK(page.bad_lines == 1);
  REQUIRE(page.samples.size() == 2);
  CHECK(page.samples[1].value == 4);
}

TEST_CASE("exposition: limits cut the page after a whole line and say so") {
  ExpositionLimits limits;
  limits.bytes_max = Bytes{9};
  const Exposition cut = parse_exposition("a 1\nb 2\nc 3\n", limits);
  CHECK(cut.truncated);
  CHECK(cut.bad_lines == 0);
  CHECK(cut.samples.size() == 2);
  CHECK(parse_exposition("a_long_line 1", limits).samples.empty());

  ExpositionLimits few;
  few.samples_max = 2;
  CHECK_FALSE(parse_exposition("a 1\nb 2\n", few).truncated);
  const Exposition counted = parse_exposition("a 1\nb 2\nc 3\n", few);
  CHECK(counted.truncated);
  CHECK(counted.samples.size() == 2);

  std::string line = "a{";
  for (size_t i = 0; i <= kExpositionLabelsMax; ++i) line += "l" + std::to_string(i) + "=\"\",";
  CHECK(parse_exposition(line + "} 1").bad_lines == 1);
}

}  // namespace
}  // namespace sluice::sense
