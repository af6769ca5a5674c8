#include "firmware/upstream/messages_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "firmware/ports/json.h"
#include "firmware/upstream/messages_blocks.h"

namespace sluice::upstream {

namespace {

using ports::JsonValue;

// Said in the same words there.
constexpr std::array<std::string_view, 5> kSame = {"max_tokens", "temperature", "top_p", "top_k",
                                                   "stream"};
// Read below.
constexpr std::array<std::string_view, 9> kRead = {"model",    "messages",      "system",
                                                   "tools",    "tool_choice",   "stop_sequences",
                                                   "metadata", "output_config", "output_format"};
// The answer is right without them.
constexpr std::array<std::string_view, 4> kLeftOut = {"thinking", "cache_control", "service_tier",
                                                      "inference_geo"};

template <size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

bool is_empty(const JsonValue& value) {
  if (value.is_null()) return true;
  if (value.as_array() != nullptr) return value.as_array()->empty();
  return value.as_object() != nullptr && value.as_object()->empty();
}

Result<JsonValue> chat_messages(const JsonValue& request) {
  JsonValue out = JsonValue::array();
  if (const JsonValue* system = request.find("system"); system != nullptr && !is_empty(*system)) {
    Result<std::string> text = joined_text(*system, "system");
    if (!text) return text.error();
    out.push(JsonValue::object({{"role", "system"}, {"content", std::move(*text)}}));
  }
  const JsonValue* messages = request.find("messages");
  if (messages == nullptr || messages->as_array() == nullptr) {
    return untranslatable("messages", "must be a list");
  }
  const JsonValue::Array& list = *messages->as_array();
  for (size_t i = 0; i < list.size(); ++i) {
    Result<void> ok = append_chat_messages(list[i], fmt::format("messages[{}]", i), out);
    if (!ok) return ok.error();
  }
  return out;
}

Result<JsonValue> chat_tools(const JsonValue& tools) {
  if (tools.as_array() == nullptr) return untranslatable("tools", "must be a list");
  JsonValue out = JsonValue::array();
  for (size_t i = 0; i < tools.as_array()->size(); ++i) {
    const JsonValue& tool = (*tools.as_array())[i];
    const std::string_view type = tool.text("type", "custom");
    if (type != "custom") {
      return untranslatable(
          fmt::format("tools[{}].type", i),
          fmt::format("\"{}\" is a tool that only Anthropic's own service knows; here tools are "
                      "\"custom\" and run by the client",
                      type));
    }
    if (tool.text("name").empty()) {
      return untranslatable(fmt::format("tools[{}].name", i), "must be a string");
    }
    JsonValue function = JsonValue::object({{"name", tool.text("name")}});
    if (tool.find("description") != nullptr) function.add("description", tool.text("description"));
    const JsonValue* schema = tool.find("input_schema");
    if (schema != nullptr) function.add("parameters", *schema);
    if (const JsonValue* strict = tool.find("strict")) function.add("strict", *strict);
    out.push(JsonValue::object({{"type", "function"}, {"function", std::move(function)}}));
  }
  return out;
}

Result<JsonValue> chat_tool_choice(const JsonValue& choice) {
  const std::string_view type = choice.text("type");
  if (type == "auto" || type == "none") return JsonValue(type);
  if (type == "any") return JsonValue("required");
  if (type != "tool" || choice.text("name").empty()) {
    return untranslatable("tool_choice", "must be of type auto, any, none, or tool with a name");
  }
  return JsonValue::object(
      {{"type", "function"}, {"function", JsonValue::object({{"name", choice.text("name")}})}});
}

Result<void> add_tools(const JsonValue& request, JsonValue& chat) {
  const JsonValue* tools = request.find("tools");
  if (tools != nullptr && !is_empty(*tools)) {
    Result<JsonValue> said = chat_tools(*tools);
    if (!said) return said.error();
    chat.add("tools", std::move(*said));
  }
  const JsonValue* choice = request.find("tool_choice");
  if (choice == nullptr || choice->is_null()) return {};
  Result<JsonValue> said = chat_tool_choice(*choice);
  if (!said) return said.error();
  chat.add("tool_choice", std::move(*said));
  if (choice->boolean("disable_parallel_tool_use")) chat.add("parallel_tool_calls", false);
  return {};
}

// output_config.format, or output_format as it was called at first: a schema for the answer.
Result<void> add_format(const JsonValue& request, JsonValue& chat) {
  const JsonValue* config = request.find("output_config");
  const JsonValue* format = config == nullptr ? nullptr : config->find("format");
  std::string field = "output_config.format";
  if (format == nullptr) {
    format = request.find("output_format");
    field = "output_format";
  }
  if (format == nullptr || format->is_null()) return {};
  const JsonValue* schema = format->find("schema");
  if (format->text("type") != "json_schema" || schema == nullptr) {
    return untranslatable(field, "must be of type json_schema, with a schema");
  }
  const JsonValue named =
      JsonValue::object({{"name", "answer"}, {"schema", *schema}, {"strict", true}});
  chat.add("response_format", JsonValue::object({{"type", "json_schema"}, {"json_schema", named}}));
  return {};
}

Result<void> check_members(const JsonValue& request) {
  for (const auto& [key, value] : *request.as_object()) {
    if (is_one_of(key, kSame) || is_one_of(key, kRead) || is_one_of(key, kLeftOut)) continue;
    if (is_empty(value)) continue;
    return untranslatable(
        key,
        "is understood only by nodes that speak /v1/messages themselves, and none "
        "of them serves this model here; leave it out");
  }
  if (request.find("max_tokens") == nullptr) {
    return untranslatable("max_tokens", "must be given: a whole number above zero");
  }
  return {};
}

}  // namespace

Result<std::string> chat_request_from_messages(std::string_view body) {
  const Result<JsonValue> request = ports::parse_json(body);
  if (!request) return Error{ErrorKind::refused, "body", request.error().text};
  if (request->as_object() == nullptr) return untranslatable("body", "must be an object");
  if (Result<void> ok = check_members(*request); !ok) return ok.error();
  JsonValue chat = JsonValue::object({{"model", request->text("model")}});
  Result<JsonValue> messages = chat_messages(*request);
  if (!messages) return messages.error();
  chat.add("messages", std::move(*messages));
  if (Result<void> ok = add_tools(*request, chat); !ok) return ok.error();
  if (Result<void> ok = add_format(*request, chat); !ok) return ok.error();
  for (const std::string_view key : kSame) {
    const JsonValue* value = request->find(key);
    if (value != nullptr && !value->is_null()) chat.add(std::string(key), *value);
  }
  const JsonValue* stops = request->find("stop_sequences");
  if (stops != nullptr && !is_empty(*stops)) chat.add("stop", *stops);
  const JsonValue* metadata = request->find("metadata");
  if (metadata != nullptr && !metadata->text("user_id").empty()) {
    chat.add("user", metadata->text("user_id"));
  }
  return ports::to_json(chat);
}

}  // namespace sluice::upstream
