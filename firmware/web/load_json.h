// The canonical load as JSON. Pure.
#pragma once

#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/sense/sense_view.h"

namespace sluice::web {

// A whole number is written as one: 12 rather than 12.0.
ports::JsonValue number_value(double value);

// {"value", "source", "age_ms", "confidence"}; value and age are null of what nobody tells.
ports::JsonValue figure_value(const sense::Figure& figure, Instant now);

// The figures that are told, by name; what is absent is left out.
ports::JsonValue load_value(const sense::EngineLoad& load, Instant now);

}  // namespace sluice::web
