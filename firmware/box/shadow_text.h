// What the second rule would have done, in words, from the JSON of GET /api/v1/shadow.
#pragma once

#include <string>

#include "firmware/ports/json.h"

namespace sluice::box {

std::string shadow_text(const ports::JsonValue& shadow);
std::string shadow_line(const ports::JsonValue& shadow);  // one line; empty if there is none

}  // namespace sluice::box
