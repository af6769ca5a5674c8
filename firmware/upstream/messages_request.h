// A request to /v1/messages (Anthropic) said in the words of /v1/chat/completions, for nodes that
// speak only those. Pure.
// Sources: Anthropic Messages API reference; OpenAI chat completions reference.
//
// What has a counterpart is translated: system, text, images, tool calls and their results, tools,
// tool_choice, stop_sequences, max_tokens, temperature, top_p, top_k, stream, a JSON schema for the
// output. Pictures within a tool's result follow it in a message of the user, because tool messages
// are text. Left out, because the answer is right without them: thinking of earlier turns and the
// wish for it, cache_control, service_tier, effort. All else is refused by its name.
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::upstream {

// Of a request that is translated. That is done at once, in memory (up to 25 times its size) and on
// the loop thread: 8 MiB of small blocks hold up all others for half a second.
inline constexpr uint64_t kTranslatedRequestMax = 8 * 1024 * 1024;

// Errors: refused, with the field that cannot be said and what to do.
Result<std::string> chat_request_from_messages(std::string_view body);

}  // namespace sluice::upstream
