// A driver file, the page and the document it is about, parted by lines "%%": any of them may be
// anything. What is read keeps within its bounds, and what is refused names its line.
#include "firmware/sense/driver_facts.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/ports/json.h"
#include "firmware/sense/accelerator_reading.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/fingerprint.h"
#include "firmware/sense/load_history.h"
#include "firmware/sense/series_groups.h"

using namespace sluice;
using namespace sluice::sense;

namespace {

std::string_view take_part(std::string_view& rest) {
  constexpr std::string_view kBetween = "\n%%\n";
  const size_t end = rest.find(kBetween);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + kBetween.size());
  return part;
}

void check_report(const FieldReport& report) {
  ENSURE(report.is_present == (report.value.has_value() || report.histogram.has_value()));
  ENSURE((report.confidence == Confidence::absent) == !report.is_present);
  ENSURE(report.is_present != report.source.empty());
  if (report.value) ENSURE(std::isfinite(*report.value));
  if (!report.histogram) return;
  double below = 0;
  for (const auto& [bound, count] : report.histogram->buckets) {
    ENSURE(count >= below && count <= report.histogram->count);
    below = count;
  }
}

void check_engine(const Answers& answers, const DriverFacts& facts) {
  const EngineReading reading = read_engine(answers, facts);
  ENSURE(reading.fields.size() <= kEngineFieldCount);
  for (const FieldReport& report : reading.fields) check_report(report);
  LoadHistory history;
  for (int i = 0; i < 3; ++i) history.add(reading, Instant::from_us(i * 10000000));
  const EngineLoad load = history.load(Duration::seconds(2), Instant::from_us(21000000));
  ENSURE(load.ttft.mean_s.value.has_value() == false);  // nothing ended between equal looks
}

void check_accelerators(const Exposition& page, const DriverFacts& facts) {
  const auto loads = read_accelerators(page, facts, Instant::from_us(1));
  ENSURE(loads.size() <= sense::kAcceleratorsMax);
  for (const AcceleratorLoad& load : loads) {
    ENSURE(!load.id.empty() && load.vendor == facts.vendor);
    if (load.busy.value) ENSURE(std::isfinite(*load.busy.value));
  }
  for (const FieldReport& report : report_accelerators(page, facts)) check_report(report);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  const auto node = ports::parse_config(take_part(rest), "f");
  if (!node) return 0;
  const Result<DriverFacts> facts = read_driver_facts(*node, "f");
  if (!facts) {
    ENSURE(facts.error().kind == ErrorKind::refused && facts.error().where.starts_with("f:"));
    ENSURE(!facts.error().text.empty());
    return 0;
  }
  ExpositionLimits limits;
  limits.names = facts->series_names;
  const Exposition page = parse_exposition(take_part(rest), limits);
  const Result<ports::JsonValue> json = ports::parse_json(take_part(rest));
  Answers answers;
  answers.page = &page;
  for (const DocumentSource& document : facts->documents) {
    if (json) answers.documents.push_back({document.path, &*json});
  }
  const FingerprintMatch match = fingerprint(answers, *facts);
  ENSURE(match.fits == match.why_not.empty());
  if (facts->kind == DriverKind::accelerator) {
    check_accelerators(page, *facts);
  } else {
    check_engine(answers, *facts);
  }
  return 0;
}
