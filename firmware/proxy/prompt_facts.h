// What the valve and sense want to know of a prompt beyond its size: what it holds besides text,
// what its data is worth as text, and the marks along it.
#pragma once

#include <cstddef>

#include "firmware/base/result.h"
#include "firmware/ports/http_body.h"
#include "firmware/sense/prompt_marks.h"
#include "firmware/upstream/request_body.h"
#include "firmware/valve/ask.h"

namespace sluice::proxy {

// So much of a prompt is looked at; of a longer one the rest is taken to be alike.
inline constexpr size_t kPromptLookMax = 8 * 1024 * 1024;

struct PromptFacts {
  valve::FeatureSet needs;
  size_t bytes = 0;          // as text: data counts what it is worth
  bool has_context = false;  // prompt and answer together are bounded by the model's context
  sense::PromptMarks marks;
};

// Errors: broken, if the body cannot be read back.
Result<PromptFacts> look_at_prompt(const ports::HttpBody& body, const upstream::RequestBody& read,
                                   upstream::Endpoint endpoint);

}  // namespace sluice::proxy
