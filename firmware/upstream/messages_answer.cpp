#include "firmware/upstream/messages_answer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::upstream {

namespace {

using ports::JsonValue;

constexpr int kOverloaded = 529;
constexpr size_t kErrorTextMax = 4096;

JsonValue block(const char* type, const char* key, std::string_view text) {
  return JsonValue::object({{"type", type}, {key, text}});
}

// Text, or parts of which each has text.
std::string text_of(const JsonValue* content) {
  if (content == nullptr) return {};
  if (content->as_text() != nullptr) return *content->as_text();
  std::string text;
  if (content->as_array() != nullptr) {
    for (const JsonValue& part : *content->as_array()) text += part.text("text");
  }
  return text;
}

JsonValue content_of(const JsonValue& message) {
  JsonValue content = JsonValue::array();
  std::string thought = text_of(message.find("reasoning_content"));
  if (thought.empty()) thought = text_of(message.find("reasoning"));
  if (!thought.empty()) {
    JsonValue thinking = block("thinking", "thinking", thought);
    thinking.add("signature", "");
    content.push(std::move(thinking));
  }
  const std::string text = text_of(message.find("content")) + text_of(message.find("refusal"));
  if (!text.empty()) content.push(block("text", "text", text));
  const JsonValue* calls = message.find("tool_calls");
  if (calls == nullptr || calls->as_array() == nullptr) return content;
  for (const JsonValue& call : *calls->as_array()) {
    const JsonValue* function = call.find("function");
    if (function == nullptr) continue;
    content.push(JsonValue::object({{"type", "tool_use"},
                                    {"id", call.text("id")},
                                    {"name", function->text("name")},
                                    {"input", tool_input(function->text("arguments"))}}));
  }
  return content;
}

bool has_tools(const JsonValue& message) {
  const JsonValue* calls = message.find("tool_calls");
  return calls != nullptr && calls->as_array() != nullptr && !calls->as_array()->empty();
}

}  // namespace

std::string_view stop_reason(std::string_view finish_reason, bool has_tools, bool has_stop) {
  if (finish_reason == "length") return "max_tokens";
  if (finish_reason == "content_filter") return "refusal";
  if (finish_reason == "tool_calls" || finish_reason == "function_call" || has_tools) {
    return "tool_use";
  }
  return has_stop ? "stop_sequence" : "end_turn";
}

JsonValue message_usage(const JsonValue* usage) {
  int64_t in = 0;
  int64_t out = 0;
  int64_t cached = 0;
  if (usage != nullptr) {
    in = std::max<int64_t>(0, usage->integer("prompt_tokens"));
    out = std::max<int64_t>(0, usage->integer("completion_tokens"));
    const JsonValue* details = usage->find("prompt_tokens_details");
    if (details != nullptr) {
      cached = std::clamp<int64_t>(details->integer("cached_tokens"), 0, in);
    }
  }
  return JsonValue::object({{"input_tokens", in - cached},
                            {"cache_creation_input_tokens", 0},
                            {"cache_read_input_tokens", cached},
                            {"output_tokens", out}});
}

JsonValue tool_input(std::string_view arguments) {
  if (arguments.empty()) return JsonValue(JsonValue::Object{});
  Result<JsonValue> input = ports::parse_json(arguments);
  if (input && input->as_object() != nullptr) return std::move(*input);
  return JsonValue::object({{"arguments", arguments}});
}

Result<std::string> message_from_chat(std::string_view body, const MessageName& name) {
  const Result<JsonValue> chat = ports::parse_json(body);
  const Error broken{ErrorKind::broken, "answer", "the node's answer is no chat completion"};
  if (!chat) return broken;
  const JsonValue* choices = chat->find("choices");
  if (choices == nullptr || choices->as_array() == nullptr || choices->as_array()->empty()) {
    return broken;
  }
  const JsonValue& choice = choices->as_array()->front();
  const JsonValue* message = choice.find("message");
  if (message == nullptr || message->as_object() == nullptr) return broken;
  // vLLM tells which stop sequence was met.
  const std::string_view stop = choice.text("stop_reason");
  const std::string_view reason =
      stop_reason(choice.text("finish_reason"), has_tools(*message), !stop.empty());
  JsonValue answer = JsonValue::object({{"id", name.id},
                                        {"type", "message"},
                                        {"role", "assistant"},
                                        {"model", name.model},
                                        {"content", content_of(*message)},
                                        {"stop_reason", reason}});
  answer.add("stop_sequence", reason == "stop_sequence" ? JsonValue(stop) : JsonValue());
  answer.add("usage", message_usage(chat->find("usage")));
  return ports::to_json(answer);
}

const char* message_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 504:
      return "timeout_error";
    case 503:
    case kOverloaded:
      return "overloaded_error";
    default:
      return status < 500 || status == 501 ? "invalid_request_error" : "api_error";
  }
}

int message_error_status(int status) { return status == 503 ? kOverloaded : status; }

std::string message_error(int status, std::string_view body) {
  std::string text;
  const Result<JsonValue> parsed = ports::parse_json(body);
  if (parsed) {
    const JsonValue* error = parsed->find("error");
    if (error == nullptr) error = &*parsed;
    text = error->as_text() != nullptr ? *error->as_text() : std::string(error->text("message"));
  }
  if (text.empty()) text = fmt::format("the node answered with status {}", status);
  text.resize(std::min(text.size(), kErrorTextMax));
  const JsonValue inner =
      JsonValue::object({{"type", message_error_type(status)}, {"message", std::move(text)}});
  return ports::to_json(JsonValue::object({{"type", "error"}, {"error", inner}}));
}

}  // namespace sluice::upstream
