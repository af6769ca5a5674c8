#include "firmware/identity/key_commands.h"

#include <doctest/doctest.h>

#include "firmware/ports/json.h"

using namespace sluice;
using namespace sluice::identity;

namespace {

Result<KeySpec> parse(std::string_view text) {
  const Result<ports::JsonValue> json = ports::parse_json(text);
  REQUIRE(json.has_value());
  return parse_key_spec(*json);
}

}  // namespace

TEST_CASE("key spec: a name is enough, the rest has its defaults") {
  const Result<KeySpec> spec = parse("{\"name\":\"reports\"}");
  REQUIRE(spec.has_value());
  CHECK(spec->name == "reports");
  CHECK(spec->models.empty());
  CHECK(spec->data_class == DataClass::internal);
  CHECK(spec->priority == KeyPriority::normal);
  CHECK(spec->service_level == "default");
  CHECK_FALSE(spec->goal.has_value());
  CHECK(spec->budget.nano == 0);
}

TEST_CASE("key spec: every member is read") {
  const Result<KeySpec> spec = parse(
      "{\"name\":\"r\",\"models\":[\"a\",\"b\"],\"requests_per_minute\":60,"
      "\"tokens_per_minute\":1000,\"concurrency\":4,\"priority\":\"low\","
      "\"data_class\":\"open\",\"deadline_ms\":2500,\"service_level\":\"gold\",\"goal\":\"home-"
      "first\","
      "\"budget_per_month\":12.5}");
  REQUIRE(spec.has_value());
  CHECK(spec->models == std::vector<std::string>{"a", "b"});
  CHECK(spec->requests_per_minute == 60);
  CHECK(spec->tokens_per_minute == 1000);
  CHECK(spec->concurrency == 4);
  CHECK(spec->priority == KeyPriority::low);
  CHECK(spec->data_class == DataClass::open);
  CHECK(spec->deadline == Duration::ms(2500));
  CHECK(spec->service_level == "gold");
  CHECK(spec->goal == KeyGoal::home_first);
  CHECK(spec->budget.nano == 12'500'000'000);
}

TEST_CASE("key spec: an error names the member and what to write") {
  const std::string long_name(kKeyNameMax + 1, 'n');
  struct Row {
    std::string json, says;
  };
  for (const Row& row : std::vector<Row>{
           {"[]", "not a JSON object"},
           {"{}", "\"name\" must be 1 to 64 bytes"},
           {"{\"name\":\"" + long_name + "\"}", "\"name\" must be 1 to 64 bytes"},
           {"{\"name\":\" a\"}", "\"name\" must be"},
           {"{\"name\":\"a\\nb\"}", "\"name\" must be"},
           {"{\"name\":7}", "\"name\" must be a text"},
           {"{\"name\":\"k12345678\"}", "looks like the id"},
           {"{\"name\":\"slk-abc\"}", "begins like a secret"},
           {"{\"name\":\"a\",\"modells\":[]}",
            "\"modells\" is not known here; known are budget_per_month, concurrency"},
           {"{\"name\":\"a\",\"models\":[7]}", "\"models\" must be a list of at most 64 texts"},
           {"{\"name\":\"a\",\"models\":[\"\"]}", "\"models\" must be at most"},
           {"{\"name\":\"a\",\"concurrency\":1.5}", "\"concurrency\" must be a whole number"},
           {"{\"name\":\"a\",\"concurrency\":1000001}", "from 0 to 1000000"},
           {"{\"name\":\"a\",\"requests_per_minute\":-1}", "\"requests_per_minute\" must be"},
           {"{\"name\":\"a\",\"priority\":\"urgent\"}", "\"priority\" must be low, normal or high"},
           {"{\"name\":\"a\",\"data_class\":\"none\"}", "\"data_class\" must be open, internal or"},
           {"{\"name\":\"a\",\"deadline_ms\":86400001}", "\"deadline_ms\" must be"},
           {"{\"name\":\"a\",\"goal\":\"cheap\"}",
            "\"goal\" must be cost, balanced, fast, green or"},
           {"{\"name\":\"a\",\"budget_per_month\":-1}", "must be an amount from 0 to 1000000000"},
           {"{\"name\":\"a\",\"budget_per_month\":\"9\"}", "must be an amount from 0"},
           {"{\"name\":\"a\",\"service_level\":\"\"}", "\"service_level\" must be"}}) {
    const Result<KeySpec> spec = parse(row.json);
    CAPTURE(row.json);
    REQUIRE_FALSE(spec.has_value());
    CHECK(spec.error().kind == ErrorKind::refused);
    CHECK_MESSAGE(spec.error().text.find(row.says) != std::string::npos, spec.error().text);
  }
}

TEST_CASE("key spec: limits that did not come from JSON are checked too") {
  KeySpec spec;
  spec.name = "a";
  CHECK(check_key_spec(spec).has_value());
  spec.tokens_per_minute = kKeyRateMax + 1;
  CHECK_FALSE(check_key_spec(spec).has_value());
  spec.tokens_per_minute = 0;
  spec.deadline = Duration::us(-1);
  CHECK_FALSE(check_key_spec(spec).has_value());
  spec.deadline = Duration();
  spec.models.assign(kKeyModelsMax + 1, "m");
  CHECK_FALSE(check_key_spec(spec).has_value());
}

TEST_CASE("key json: all that people may see, and not the hash") {
  ApiKey key;
  key.id = "k00000001";
  key.name = "reports";
  key.hash = std::string(64, 'a');
  key.created = Date::from_us(1'795'309'323'456'000);
  std::string text = ports::to_json(key_as_json(key));
  CHECK(text.find("\"created\":\"2026-11-22T01:02:03.456Z\"") != std::string::npos);
  CHECK(text.find("\"revoked\":false") != std::string::npos);
  CHECK(text.find("revoked_at") == std::string::npos);
  CHECK(text.find("hash") == std::string::npos);
  CHECK(text.find("aaaa") == std::string::npos);
  key.revoked = true;
  key.revoked_at = key.created;
  text = ports::to_json(key_as_json(key));
  CHECK(text.find("\"revoked_at\":\"2026-11-22T01:02:03.456Z\"") != std::string::npos);
}

TEST_CASE("api key: words go to text and back, and models are a list or all") {
  for (KeyPriority priority : {KeyPriority::low, KeyPriority::normal, KeyPriority::high}) {
    CHECK(priority_from_text(to_text(priority)) == priority);
  }
  for (DataClass one : {DataClass::open, DataClass::internal, DataClass::home_only}) {
    CHECK(data_class_from_text(to_text(one)) == one);
  }
  for (KeyGoal goal :
       {KeyGoal::cost, KeyGoal::balanced, KeyGoal::fast, KeyGoal::green, KeyGoal::home_first}) {
    CHECK(goal_from_text(to_text(goal)) == goal);
  }
  CHECK_FALSE(goal_from_text("home_first").has_value());
  CHECK_FALSE(priority_from_text("High").has_value());
  CHECK_FALSE(data_class_from_text("home_only").has_value());
  ApiKey key;
  CHECK(key.may_use_model("any"));
  key.models = {"a"};
  CHECK(key.may_use_model("a"));
  CHECK_FALSE(key.may_use_model("b"));
}
