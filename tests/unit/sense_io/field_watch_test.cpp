#include "firmware/sense/field_watch.h"

#include <doctest/doctest.h>

namespace sluice::sense {
namespace {

Instant at(int64_t seconds) { return Instant::from_us(seconds * 1'000'000); }

FieldReport told(std::string_view field, const char* name, double value) {
  FieldReport report;
  report.field = field;
  report.is_present = true;
  report.value = value;
  report.source = name;
  return report;
}

FieldReport missing(std::string_view field) {
  FieldReport report;
  report.field = field;
  return report;
}

TEST_CASE("field watch: a gauge that is told no more is lost since it was missed first") {
  FieldWatch watch;
  watch.look({told("running", "r", 0), told("kv_usage", "vllm:kv", 0.5), missing("limit")}, at(1));
  CHECK(watch.fields()[1] == ToldField{"kv_usage", "vllm:kv", true, false, Instant()});
  CHECK(watch.fields()[2] == ToldField{"limit", "", false, false, Instant()});
  watch.look({told("running", "r", 0), missing("kv_usage"), missing("limit")}, at(2));
  watch.look({told("running", "r", 0), missing("kv_usage"), missing("limit")}, at(3));
  CHECK(watch.fields()[1] == ToldField{"kv_usage", "vllm:kv", false, true, at(2)});
  CHECK_FALSE(watch.fields()[2].is_lost);
}

TEST_CASE("field watch: another name for the same field is no loss, and what comes back is well") {
  FieldWatch watch;
  watch.look({told("kv_usage", "old", 0.5)}, at(1));
  watch.look({told("kv_usage", "new", 0.5)}, at(2));
  CHECK(watch.fields()[0] == ToldField{"kv_usage", "new", true, false, Instant()});
  watch.look({missing("kv_usage")}, at(3));
  CHECK(watch.fields()[0].is_lost);
  watch.look({told("kv_usage", "new", 0.1)}, at(4));
  CHECK(watch.fields()[0].is_present);
  CHECK_FALSE(watch.fields()[0].is_lost);
}

TEST_CASE("field watch: a counter of an engine that began anew is lost once it works without it") {
  FieldWatch watch;
  watch.look({told("running", "r", 1), told("prompt_tokens", "p", 9)}, at(1));
  watch.look({told("running", "r", 0), missing("prompt_tokens")}, at(2));
  CHECK_FALSE(watch.fields()[1].is_lost);
  watch.look({told("running", "r", 2), missing("prompt_tokens")}, at(8));
  CHECK(watch.fields()[1] == ToldField{"prompt_tokens", "p", false, true, at(2)});
}

TEST_CASE("field watch: a name that is there and tells no value is not lost") {
  FieldWatch watch;
  watch.look({told("running", "r", 1), told("kv_usage", "k", 0.5)}, at(1));
  FieldReport unknown = missing("kv_usage");
  unknown.is_unknown = true;
  watch.look({told("running", "r", 1), unknown}, at(2));
  CHECK_FALSE(watch.fields()[1].is_present);
  CHECK_FALSE(watch.fields()[1].is_lost);
  watch.look({told("running", "r", 1), missing("kv_usage")}, at(3));
  CHECK(watch.fields()[1] == ToldField{"kv_usage", "k", false, true, at(2)});
}

TEST_CASE("field watch: a driver with other fields begins anew") {
  FieldWatch watch;
  watch.look({told("running", "r", 1)}, at(1));
  watch.look({missing("waiting"), missing("running")}, at(2));
  for (const ToldField& field : watch.fields()) CHECK_FALSE(field.is_lost);
  watch.forget();
  CHECK(watch.fields().empty());
}

}  // namespace
}  // namespace sluice::sense
