// Token counts as the node reports them: the `usage` member of OpenAI answers.
#pragma once

#include <optional>
#include <string_view>

#include "firmware/base/units.h"

namespace sluice::upstream {

struct Usage {
  Tokens in;
  Tokens out;
  Tokens cached;  // part of `in`
};

// `object`: the text of a usage object. Nothing if it is not one, or counts are negative.
std::optional<Usage> read_usage(std::string_view object);

}  // namespace sluice::upstream
