// Answers of /v1/chat/completions said in the words of /v1/messages: whole ones and errors. Pure.
// Sources as messages_request.h. Streams: messages_stream.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/json.h"

namespace sluice::upstream {

// What the message is called, for the client.
struct MessageName {
  std::string id;     // "msg_..."
  std::string model;  // as the client asked for it
};

// finish_reason -> stop_reason. `stop` is the stop sequence that was met, where the node tells it.
std::string_view stop_reason(std::string_view finish_reason, bool has_tools, bool has_stop);

// The `usage` of chat completions; Anthropic counts cached tokens beside the others.
ports::JsonValue message_usage(const ports::JsonValue* usage);

// A tool's arguments as an object; what is not one stands in it as "arguments", for the client to
// judge.
ports::JsonValue tool_input(std::string_view arguments);

// Errors: broken, if it is no chat completion.
Result<std::string> message_from_chat(std::string_view body, const MessageName& name);

// A node's error body (OpenAI's shape, or none) in Anthropic's.
std::string message_error(int status, std::string_view body);
const char* message_error_type(int status);
int message_error_status(int status);  // 503 -> 529, which Anthropic's clients know

}  // namespace sluice::upstream
