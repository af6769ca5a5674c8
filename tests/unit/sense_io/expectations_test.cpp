// Every sample of tests/data/metrics against what was worked out for it by hand: which driver it is
// of, and each canonical field with its value, or that it is absent.
#include <filesystem>
#include <set>
#include <sstream>

#include "drivers/accelerators/sysfs/card.h"
#include "drivers/accelerators/sysfs/fdinfo.h"
#include "firmware/ports/json.h"
#include "firmware/sense/accelerator_reading.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/identity.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

using ports::JsonValue;

double number_of(const JsonValue& value) {
  if (const int64_t* whole = value.as_integer()) return static_cast<double>(*whole);
  const double* number = value.as_double();
  REQUIRE(number != nullptr);
  return *number;
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) names.insert(entry.path().filename());
  }
  return names;
}

JsonValue expectation_of(const std::string& sample) {
  Result<JsonValue> json = ports::parse_json(read_sample("expected/" + sample + ".json"));
  REQUIRE(json);
  return *json;
}

AnswersRead answered(const std::string& sample, const JsonValue& expected) {
  SurveyAnswer answer;
  answer.path = expected.text("at", "/metrics");
  answer.status = static_cast<int>(expected.integer("status", 200));
  answer.body = read_sample(sample);
  return AnswersRead({answer});
}

void check_histogram(const JsonValue& expected, const FieldReport& told) {
  REQUIRE(told.histogram.has_value());
  CHECK(told.histogram->count == expected.number("count"));
  CHECK(told.histogram->sum == doctest::Approx(expected.number("sum")).epsilon(1e-9));
  if (expected.find("bound") == nullptr) return;
  for (const auto& [bound, count] : told.histogram->buckets) {
    if (bound != doctest::Approx(expected.number("bound"))) continue;
    CHECK(count == expected.number("at_most"));
    return;
  }
  FAIL_CHECK("no bucket with the expected bound");
}

void check_engine(const std::string& sample, const JsonValue& expected, const DriverFacts& facts) {
  const JsonValue* wanted = expected.find("engine");
  REQUIRE(wanted != nullptr);
  const std::string body = read_sample(sample);
  ExpositionLimits limits;
  limits.names = facts.series_names;
  const Exposition page = parse_exposition(body, limits);
  const AnswersRead read = answered(sample, expected);
  Answers answers = read.for_driver(facts);
  if (answers.page != nullptr) answers.page = &page;  // as the daemon reads it: names filtered
  const EngineReading reading = read_engine(answers, facts);
  for (size_t i = 0; i < kEngineFieldCount; ++i) {
    const EngineField field = static_cast<EngineField>(i);
    CAPTURE(to_text(field));
    const auto told =
        std::find_if(reading.fields.begin(), reading.fields.end(),
                     [&](const FieldReport& report) { return report.field == to_text(field); });
    const JsonValue* value = wanted->find(to_text(field));
    const bool is_told = told != reading.fields.end() && told->is_present;
    CHECK(is_told == (value != nullptr));
    if (told != reading.fields.end() && !is_told) {
      CHECK_FALSE(told->value.has_value());
      CHECK_FALSE(told->histogram.has_value());
      CHECK(told->confidence == Confidence::absent);
      CHECK_FALSE(told->missing.empty());
    }
    if (!is_told || value == nullptr) continue;
    CHECK_FALSE(told->source.empty());
    if (is_histogram(field)) {
      check_histogram(*value, *told);
    } else {
      CHECK(told->value.value() == doctest::Approx(number_of(*value)).epsilon(1e-9));
    }
  }
  for (const JsonValue::Member& member : *wanted->as_object()) {  // no misspelt expectation
    const std::string& name = member.first;
    const bool known =
        std::any_of(reading.fields.begin(), reading.fields.end(),
                    [&name](const FieldReport& report) { return report.field == name; });
    CHECK_MESSAGE(known, name);
  }
}

void check_figure(const JsonValue& device, const char* field, const Figure& told) {
  CAPTURE(field);
  const JsonValue* value = device.find(field);
  CHECK(told.value.has_value() == (value != nullptr));
  CHECK((told.confidence == Confidence::absent) == (value == nullptr));
  if (!told.value || value == nullptr) return;
  CHECK(*told.value == doctest::Approx(number_of(*value)).epsilon(1e-9));
  CHECK(told.at == Instant::from_us(7));
}

void check_accelerators(const std::string& sample, const JsonValue& expected,
                        const DriverFacts& facts) {
  const std::string body = read_sample(sample);
  ExpositionLimits limits;
  limits.names = facts.series_names;
  const std::vector<AcceleratorLoad> loads =
      read_accelerators(parse_exposition(body, limits), facts, Instant::from_us(7));
  const JsonValue::Array& devices = *expected.find("accelerators")->as_array();
  REQUIRE(loads.size() == devices.size());
  for (size_t i = 0; i < loads.size(); ++i) {
    const AcceleratorLoad& load = loads[i];
    CHECK(load.id == devices[i].text("id"));
    CHECK(load.name == devices[i].text("name"));
    CHECK(load.vendor == expected.text("vendor"));
    check_figure(devices[i], "busy", load.busy);
    check_figure(devices[i], "memory_used_bytes", load.memory_used_bytes);
    check_figure(devices[i], "memory_total_bytes", load.memory_total_bytes);
    check_figure(devices[i], "power_w", load.power_w);
    check_figure(devices[i], "temperature_c", load.temperature_c);
    check_figure(devices[i], "health", load.health);
    const int64_t stamp = expected.integer("stamp_ms", -1);
    CHECK(load.busy.stamp_ms.value_or(-1) == stamp);
  }
}

// Of a card or of a user's file: what the kernel tells, read by its own drivers.
void check_host(const std::string& sample, const JsonValue& expected) {
  const std::string text = read_sample(sample);
  if (expected.text("host") == "fdinfo") {
    const std::optional<drivers::DrmClient> client = drivers::parse_fdinfo(text);
    REQUIRE(client.has_value());
    CHECK(client->driver == expected.text("driver_name"));
    CHECK(client->device == expected.text("device"));
    CHECK(client->id == expected.text("id"));
    CHECK(client->local_bytes == expected.number("local_bytes"));
    const JsonValue::Object& engines = *expected.find("engines")->as_object();
    CHECK(client->engines.size() == engines.size());
    for (const auto& [name, wanted] : engines) {
      const drivers::DrmEngine& engine = client->engines.at(name);
      CHECK(static_cast<int64_t>(engine.busy_ns.value_or(0)) == wanted.integer("busy_ns"));
      CHECK(static_cast<int64_t>(engine.cycles.value_or(0)) == wanted.integer("cycles"));
      CHECK(static_cast<int64_t>(engine.total_cycles.value_or(0)) ==
            wanted.integer("total_cycles"));
      CHECK(static_cast<int64_t>(engine.capacity) == wanted.integer("capacity", 1));
    }
    return;
  }
  REQUIRE(expected.text("host") == "card");
  drivers::CardFiles files;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.find('\t');
    if (line.starts_with('#') || tab == std::string::npos) continue;
    std::string path = line.substr(0, tab);
    if (path.starts_with("hwmon/")) path = "hwmon" + path.substr(path.find('/', 6));
    files[path] = {line.substr(tab + 1) + "\n", 0};
  }
  const ports::AcceleratorReading told = read_card(
      {std::string(expected.text("driver_name")), "0000:03:00.0", "1002:744C"}, files, {});
  CHECK(told.busy.value.value() == doctest::Approx(expected.number("busy")));
  CHECK(told.memory_used_bytes.value == expected.number("memory_used_bytes"));
  CHECK(told.memory_total_bytes.value == expected.number("memory_total_bytes"));
  CHECK(told.power_w.value.value() == doctest::Approx(expected.number("power_w")));
  CHECK(told.temperature_c.value.value() == doctest::Approx(expected.number("temperature_c")));
}

TEST_CASE("expectations: every sample has one, and every one has a sample") {
  const std::set<std::string> samples = names_in(sample_folder());
  CHECK(samples.size() >= 62);
  for (const std::string& sample : samples) {
    const std::filesystem::path expected = sample_folder() / "expected" / (sample + ".json");
    CHECK_MESSAGE(std::filesystem::exists(expected), sample, " has no expectation");
  }
  for (const std::string& name : names_in(sample_folder() / "expected")) {
    CHECK_MESSAGE(samples.contains(name.substr(0, name.size() - 5)), name);
  }
}

TEST_CASE("expectations: every sample is found to be its driver's, and read to its last field") {
  const DriverCatalog catalog = built_in_catalog();
  for (const std::string& sample : names_in(sample_folder())) {
    CAPTURE(sample);
    const JsonValue expected = expectation_of(sample);
    if (expected.find("host") != nullptr) {
      check_host(sample, expected);
      continue;
    }
    const std::string body = read_sample(sample);
    if (expected.find("at") == nullptr || expected.find("bad_lines") != nullptr) {
      CHECK(parse_exposition(body).bad_lines == expected.integer("bad_lines"));
    }
    const AnswersRead read = answered(sample, expected);
    const Identity identity = identify(read, catalog.all());
    if (expected.text("driver").empty()) {
      CHECK_FALSE(expected.text("why").empty());
      CHECK_MESSAGE(identity.best() == nullptr, identity.best()->driver->name);
      continue;
    }
    REQUIRE(identity.best() != nullptr);
    CHECK(identity.best()->driver->name == expected.text("driver"));
    CHECK(identity.fitting.size() == 1);  // no sample is so poor that two drivers would claim it
    const DriverFacts& facts = *identity.best()->driver;
    if (facts.kind == DriverKind::engine) check_engine(sample, expected, facts);
    if (facts.kind == DriverKind::accelerator) check_accelerators(sample, expected, facts);
    if (facts.kind == DriverKind::router) CHECK(expected.boolean("router"));
  }
}

}  // namespace
}  // namespace sluice::sense
