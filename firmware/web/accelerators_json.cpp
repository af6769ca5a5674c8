#include "firmware/web/accelerators_json.h"

#include <cstdint>

#include "firmware/web/load_json.h"

namespace sluice::web {

using ports::JsonValue;
using sense::AcceleratorLoad;
using sense::AcceleratorSourceReport;

namespace {

JsonValue accelerator_value(const AcceleratorLoad& load, Instant now) {
  return JsonValue::object({{"id", load.id},
                            {"name", load.name},
                            {"vendor", load.vendor},
                            {"trouble", load.trouble},
                            {"busy", figure_value(load.busy, now)},
                            {"memory_used_bytes", figure_value(load.memory_used_bytes, now)},
                            {"memory_total_bytes", figure_value(load.memory_total_bytes, now)},
                            {"power_w", figure_value(load.power_w, now)},
                            {"temperature_c", figure_value(load.temperature_c, now)},
                            {"health", figure_value(load.health, now)}});
}

JsonValue source_value(const AcceleratorSourceReport& source, Instant now) {
  JsonValue devices = JsonValue::array();
  size_t more = 0;
  for (const AcceleratorLoad& load : source.accelerators) {
    if (devices.as_array()->size() == kAcceleratorsShownMax) {
      ++more;
    } else {
      devices.push(accelerator_value(load, now));
    }
  }
  return JsonValue::object({{"source", source.name},
                            {"driver", source.driver},
                            {"state", to_text(source.state)},
                            {"why", source.why},
                            {"age_ms", source.age ? JsonValue(source.age->as_ms()) : JsonValue()},
                            {"devices", std::move(devices)},
                            {"more", static_cast<int64_t>(more)}});
}

}  // namespace

JsonValue accelerators_value(const std::vector<AcceleratorSourceReport>& sources, Instant now) {
  JsonValue list = JsonValue::array();
  for (const AcceleratorSourceReport& source : sources) list.push(source_value(source, now));
  return list;
}

}  // namespace sluice::web
