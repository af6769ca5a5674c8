#include "firmware/sense/value_source.h"

#include "firmware/sense/engine_reading.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

using Number = std::optional<double>;

EngineReading read_text(std::string_view text, const DriverFacts& facts) {
  return read_engine(parse_exposition(text), facts);
}

const FieldReport& field(const EngineReading& reading, std::string_view name) {
  for (const FieldReport& report : reading.fields) {
    if (report.field == name) return report;
  }
  FAIL("no such field");
  return reading.fields.front();
}

TEST_CASE("value source: MindIE's share of memory may be told in percent") {
  const DriverFacts facts = built_in_facts("mindie");
  CHECK(read_text("npu_cache_usage_perc 30\n", facts).kv_usage == Number(0.3));
  CHECK(read_text("npu_cache_usage_perc 0.3\n", facts).kv_usage == Number(0.3));
  CHECK(read_text("npu_cache_usage_perc 1\n", facts).kv_usage == Number(1.0));
}

TEST_CASE("value source: a ratio and a sum need all of their parts") {
  const DriverFacts facts =
      engine_with("  kv_usage: [{ratio: [a, b]}]\n  kv_tokens: [{sum_of: [c, d], scale: 2}]\n");
  const EngineReading reading = read_text("a 1\nb 4\nc 5\nd 6\n", facts);
  CHECK(reading.kv_usage == 0.25);
  CHECK(field(reading, "kv_usage").confidence == Confidence::derived);
  CHECK(field(reading, "kv_usage").source == "a / b");
  CHECK(field(reading, "kv_tokens").value == 22.0);
  CHECK(field(reading, "kv_tokens").source == "c + d");
  CHECK_FALSE(read_text("a 1\n", facts).kv_usage.has_value());
  CHECK_FALSE(read_text("a 1\nb 0\n", facts).kv_usage.has_value());
  CHECK(field(read_text("c 1\n", facts), "kv_tokens").missing == std::vector<std::string>{"d"});
}

TEST_CASE("value source: data that stand in labels are multiplied and added up over series") {
  const DriverFacts facts = engine_with("  kv_tokens: [{metric: i, value_labels: [n, size]}]\n");
  const std::string page = "i{n=\"10\",size=\"16\",e=\"0\"} 1\ni{n=\"20\",size=\"16\",e=\"1\"} 1\n";
  CHECK(field(read_text(page, facts), "kv_tokens").value == 480.0);
  CHECK(field(read_text(page, facts), "kv_tokens").source == "i{n,size}");
  CHECK_FALSE(field(read_text("i{n=\"many\",size=\"1\"} 1\n", facts), "kv_tokens").is_present);
  CHECK_FALSE(field(read_text("i{n=\"1\"} 1\n", facts), "kv_tokens").is_present);
}

TEST_CASE("value source: ranks that repeat a number count once, ranks that share it add up") {
  const DriverFacts facts = built_in_facts("sglang");
  const auto series = [](const char* dp, const char* tp, int value) {
    return std::string("sglang:num_running_reqs{pp_rank=\"0\",dp_rank=\"") + dp + "\",tp_rank=\"" +
           tp + "\"} " + std::to_string(value) + "\n";
  };
  CHECK(read_text(
            series("0", "0", 5) + series("0", "1", 5) + series("1", "0", 3) + series("1", "1", 3),
            facts)
            .running == 8.0);
  CHECK(read_text("sglang:num_running_reqs{name=\"old\"} 4\n", facts).running == 4.0);
}

TEST_CASE("value source: every way to join series") {
  const auto joined = [](const char* aggregate) {
    const DriverFacts facts =
        engine_with("  running: [{metric: a, aggregate: " + std::string(aggregate) + "}]\n");
    return read_text("a{i=\"1\"} 6 300\na{i=\"2\"} 2 500\na{i=\"3\"} 1 400\n", facts).running;
  };
  CHECK(joined("sum") == 9.0);
  CHECK(joined("max") == 6.0);
  CHECK(joined("avg") == 3.0);
  CHECK(joined("count") == 3.0);
  CHECK(joined("newest") == 2.0);
}

TEST_CASE("value source: sentinels of the driver and of one way, and numbers with a meaning") {
  const DriverFacts facts = facts_from(
      "driver: e\nkind: engine\nfor: tests\nscrape: {pages: [/m]}\nsentinels: "
      "[\">=1000\"]\nfields:\n"
      "  running: [{metric: a, sentinels: [7]}, {metric: b}]\n"
      "  asleep: [{metric: s, meanings: {0: 1, 1: 0}}]\n");
  CHECK(read_text("a 6\nb 2\n", facts).running == 6.0);
  CHECK(read_text("a 7\nb 2\n", facts).running == 2.0);
  CHECK(read_text("a 1000\nb 2\n", facts).running == 2.0);
  CHECK(read_text("a 5000\nb 7\n", facts).running == 7.0);
  CHECK(read_text("s 0\n", facts).asleep);
  CHECK_FALSE(read_text("s 1\n", facts).asleep);
  CHECK_FALSE(field(read_text("s 2\n", facts), "asleep").is_present);
}

TEST_CASE("value source: members of documents, through lists and without them") {
  const Result<ports::JsonValue> json = ports::parse_json(
      R"({"a":{"b":3},"list":[{"n":1,"on":true},{"n":2.5,"on":false},{"x":1}],"none":[],"t":"yes"})");
  REQUIRE(json);
  const auto read = [&](const char* member, Aggregate aggregate = Aggregate::sum,
                        std::optional<std::string> equals = {}) {
    ValueSource source;
    source.form = ValueSource::Form::member;
    source.member = member;
    source.aggregate = aggregate;
    source.equals = std::move(equals);
    return read_member(*json, source, {});
  };
  CHECK(read("a.b") == 3.0);
  CHECK(read("list[].n") == 3.5);
  CHECK(read("list[].n", Aggregate::max) == 2.5);
  CHECK(read("list[].on") == 1.0);
  CHECK(read("list[]", Aggregate::count) == 3.0);
  CHECK(read("none[]", Aggregate::count) == 0.0);
  CHECK(read("t", Aggregate::sum, "yes") == 1.0);
  CHECK(read("t", Aggregate::sum, "no") == 0.0);
  for (const char* absent : {"b", "a", "a.b.c", "list.n", "list[].z", "none[].n", "t", "t[]"}) {
    CAPTURE(absent);
    CHECK_FALSE(read(absent).has_value());
  }
  CHECK_FALSE(read("a[]", Aggregate::count).has_value());
  CHECK_FALSE(read("z[]", Aggregate::count).has_value());
  CHECK_FALSE(read("a.b", Aggregate::sum, "3").has_value());  // it is no text
}

TEST_CASE("value source: the names looked for in vain are told with the labels that choose them") {
  const DriverFacts facts = built_in_facts("triton-trtllm");
  const EngineReading reading =
      read_text("nv_trt_llm_request_metrics{request_type=\"waiting\"} 3\n", facts);
  CHECK(field(reading, "waiting").source == "nv_trt_llm_request_metrics{request_type=\"waiting\"}");
  CHECK(field(reading, "limit").missing ==
        std::vector<std::string>{"nv_trt_llm_request_metrics{request_type=\"max\"}"});
  const EngineReading llama = read_text("", built_in_facts("llamacpp"));
  CHECK(field(llama, "limit").missing ==
        std::vector<std::string>{"/props total_slots", "/slots []"});
}

}  // namespace
}  // namespace sluice::sense
