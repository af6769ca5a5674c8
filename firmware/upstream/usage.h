// Token counts as the node reports them: the `usage` member of OpenAI and Anthropic answers, and
// what rerankers say in its place.
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

// `object`: the text of a usage object. Nothing if it is not one, or counts are negative
// or beyond what can be.
// Anthropic counts what came from its cache beside input_tokens, OpenAI within: here it is within.
std::optional<Usage> read_usage(std::string_view object);

// Counts of one answer told more than once are cumulative: the greatest of each.
Usage merged(const Usage& a, const Usage& b);

}  // namespace sluice::upstream
