#include "firmware/sense/engine_reading.h"

#include <cmath>

#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

using Kind = HistogramDelta::Kind;

EngineReading read_page(std::string_view text, const DriverFacts& facts) {
  ExpositionLimits limits;
  limits.names = facts.series_names;
  return read_engine(parse_exposition(text, limits), facts);
}

TEST_CASE("engine reading: histograms of data-parallel engines add up bucket by bucket") {
  const EngineReading reading = read_page(read_sample("vllm-v1-dp2.prom"), built_in_facts("vllm"));
  REQUIRE(reading.ttft.has_value());
  CHECK(reading.ttft->sum == doctest::Approx(1174.396 + 1147.6));
  CHECK(reading.ttft->buckets.size() == 22);
  CHECK(reading.ttft->buckets[6] == std::pair<double, double>(0.08, 191.0 + 187.0));
  CHECK(reading.ttft->buckets.back() == std::pair<double, double>(2560.0, 9532.0));
}

TEST_CASE("engine reading: a vLLM of which no engine is awake is asleep") {
  const DriverFacts facts = built_in_facts("vllm");
  const std::string name = "vllm:engine_sleep_state{engine=\"0\",sleep_state=";
  CHECK(read_page(name + "\"awake\"} 0\n" + name + "\"discard_all\"} 1\n", facts).asleep);
  CHECK_FALSE(read_page(name + "\"awake\"} 1\n", facts).asleep);
  CHECK_FALSE(read_page("", facts).asleep);
}

TEST_CASE("engine reading: values that mean unknown are left out") {
  const DriverFacts facts = engine_with(
      "  running:\n    - metric: a\n    - metric: b\n  kv_usage:\n"
      "    - {metric: k, aggregate: avg, scale: 0.01}\n");
  CHECK(read_page("a NaN\nb 4\n", facts).running == 4.0);
  CHECK(read_page("a -1\nb 4\n", facts).running == 4.0);
  CHECK(read_page("a 9223372036854775794\nb 4\n", facts).running == 4.0);
  CHECK(read_page("a +Inf\n", facts).missing == std::vector<std::string>{"running", "kv_usage"});
  CHECK(read_page("a{i=\"0\"} 2\na{i=\"1\"} -1\nb 9\n", facts).running == 2.0);
  CHECK(read_page("k{i=\"0\"} 20\nk{i=\"1\"} 40\n", facts).kv_usage == 0.3);
  CHECK(read_page("a 0\nb 9\n", facts).running == 0.0);
}

TEST_CASE(
    "engine reading: a name that is there with an unknown value is told from one that is not") {
  const DriverFacts facts = facts_from(
      "driver: e\nkind: engine\nfor: A test.\nscrape: {pages: [/m]}\nfingerprint: {all_of: [a]}\n"
      "fields:\n  running:\n    - metric: a\n    - metric: b\n");
  const auto running = [&](const char* page) { return read_page(page, facts).fields.at(0); };
  CHECK(running("a NaN\n").is_unknown);
  CHECK_FALSE(running("a NaN\n").is_present);
  CHECK_FALSE(running("c 1\n").is_unknown);
  CHECK(running("a NaN\nb 2\n").is_present);
}

TEST_CASE("engine reading: labels choose the series of a shared metric") {
  const DriverFacts facts =
      engine_with("  waiting:\n    - {metric: r, labels: {type: waiting, rank: \"0\"}}\n");
  CHECK(read_page("r{type=\"waiting\",rank=\"0\"} 3\nr{type=\"waiting\",rank=\"1\"} 3\n"
                  "r{type=\"max\",rank=\"0\"} 64\nr 7\n",
                  facts)
            .waiting == 3.0);
}

TEST_CASE("engine reading: a histogram keeps the bounds that all of its series share") {
  const DriverFacts facts = engine_with("  ttft:\n    - {metric: t_ms, scale: 0.001}\n");
  const Result<Histogram> read = [&]() -> Result<Histogram> {
    const EngineReading reading = read_page(
        "t_ms_count{m=\"a\"} 3\nt_ms_bucket{m=\"a\",le=\"+Inf\"} "
        "3\nt_ms_bucket{m=\"a\",le=\"1e+03\"} 2\n"
        "t_ms_bucket{le=\"500\",m=\"a\"} 1\nt_ms_sum{m=\"a\"} 2100\n"
        "t_ms_bucket{m=\"b\",le=\"1000.0\"} 4\nt_ms_bucket{m=\"b\",le=\"+Inf\"} "
        "5\nt_ms_sum{m=\"b\"} 900\n"
        "t_ms_count{m=\"b\"} 5\n",
        facts);
    if (!reading.ttft) return Error{ErrorKind::broken, "test", "no histogram"};
    return *reading.ttft;
  }();
  REQUIRE(read);
  CHECK(read->count == 8);
  CHECK(read->sum == doctest::Approx(3.0));
  REQUIRE(read->buckets.size() == 1);
  CHECK(read->buckets[0].first == doctest::Approx(1.0));
  CHECK(read->buckets[0].second == 6);
}

TEST_CASE("engine reading: a histogram that cannot be true is not believed") {
  const DriverFacts facts = engine_with("  ttft:\n    - metric: t\n");
  const std::string ends = "t_sum 2\nt_count 4\nt_bucket{le=\"+Inf\"} 4\n";
  CHECK(read_page(ends + "t_bucket{le=\"1\"} 3\n", facts).ttft.has_value());
  CHECK_FALSE(read_page(ends + "t_bucket{le=\"1\"} 3\nt_bucket{le=\"2\"} 2\n", facts).ttft);
  CHECK_FALSE(read_page(ends + "t_bucket{le=\"1\"} 5\n", facts).ttft);
  CHECK_FALSE(read_page("t_count 4\nt_bucket{le=\"1\"} 3\n", facts).ttft);
  CHECK_FALSE(read_page("t_sum 4\nt_bucket{le=\"1\"} 3\n", facts).ttft);
}

TEST_CASE("histogram delta: the window between two looks differs from the lifetime") {
  const DriverFacts facts = built_in_facts("vllm");
  const EngineReading before = read_page(read_sample("vllm-v1.prom"), facts);
  const EngineReading after = read_page(read_sample("vllm-v1-saturated.prom"), facts);
  const HistogramDelta change = delta(*before.ttft, *after.ttft);
  REQUIRE(change.kind == Kind::window);
  CHECK(change.window.count == 48);
  CHECK(change.window.sum == doctest::Approx(217.152));
  CHECK(*mean(change.window) == doctest::Approx(4.524));
  CHECK(*quantile(change.window, 0.95) == doctest::Approx(9.75));
  CHECK(*mean(*after.ttft) == doctest::Approx(0.2858).epsilon(0.001));
}

TEST_CASE("histogram delta: a restart and new bucket bounds give no window") {
  const Histogram before{10, 8, {{1, 4}, {2, 8}}};
  CHECK(delta(before, {1, 2, {{1, 1}, {2, 2}}}).kind == Kind::restarted);
  CHECK(delta(before, {12, 9, {{1, 3}, {2, 9}}}).kind == Kind::restarted);
  CHECK(delta(before, {9, 9, {{1, 4}, {2, 9}}}).kind == Kind::restarted);
  CHECK(delta(before, {12, 9, {{1, 4}, {3, 9}}}).kind == Kind::rebased);
  CHECK(delta(before, {12, 9, {{1, 4}}}).kind == Kind::rebased);
  const HistogramDelta nothing = delta(before, before);
  CHECK(nothing.kind == Kind::window);
  CHECK(nothing.window.count == 0);
  CHECK_FALSE(quantile(nothing.window, 0.5).has_value());
  CHECK_FALSE(mean(nothing.window).has_value());
}

TEST_CASE("quantile: straight within a bucket, the last bound beyond it") {
  const Histogram histogram{0, 10, {{1, 0}, {2, 5}, {4, 8}}};
  CHECK(*quantile(histogram, 0.25) == doctest::Approx(1.5));
  CHECK(*quantile(histogram, 0.5) == doctest::Approx(2.0));
  CHECK(*quantile(histogram, 0.8) == doctest::Approx(4.0));
  CHECK(*quantile(histogram, 0.99) == 4.0);
  CHECK(*quantile(histogram, 0) == 1.0);
  CHECK_FALSE(quantile(histogram, 1.5).has_value());
  CHECK_FALSE(quantile({1, 1, {}}, 0.5).has_value());
}

}  // namespace
}  // namespace sluice::sense
