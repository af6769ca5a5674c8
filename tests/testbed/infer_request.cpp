#include "tests/testbed/infer_request.h"

#include <fmt/format.h>

namespace sluice::testbed {

namespace {

using nlohmann::json;

constexpr std::int64_t kMaxAskedTokens = 100'000'000;

std::string text_of_prompt(const json& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  std::string text;
  for (const json& part : prompt) text += part.is_string() ? part.get<std::string>() : part.dump();
  return text;
}

std::string string_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag(const json& object, const char* key) {
  return object.contains(key) && object[key] == true;
}

std::optional<std::string> read_limit(const json& object, std::int64_t* limit) {
  for (const char* key : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
    if (!object.contains(key) || object[key].is_null()) continue;
    if (!object[key].is_number_integer()) return fmt::format("{} must be an integer", key);
    *limit = object[key].get<std::int64_t>();
    if (*limit < 1 || *limit > kMaxAskedTokens) return fmt::format("{} must be at least 1", key);
  }
  return std::nullopt;
}

// Chat nests a function's name; Responses and Messages do not.
std::string name_of_tool(const json& tool) {
  if (!tool.is_object()) return {};
  if (tool.contains("function") && tool["function"].is_object()) {
    return string_of(tool["function"], "name");
  }
  return string_of(tool, "name");
}

bool is_word_end(std::string_view text, std::size_t at) {
  if (at >= text.size()) return true;
  const char c = text[at];
  return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-');
}

bool names_call(std::string_view text, std::string_view tool) {
  const std::string wanted = fmt::format("call {}", tool);
  for (std::size_t at = text.find(wanted); at != std::string_view::npos;
       at = text.find(wanted, at + 1)) {
    if (is_word_end(text, at + wanted.size())) return true;
  }
  return false;
}

// What the choice forces: a name, or "" for any tool, or nothing.
std::optional<std::string> forced_tool(const json& object) {
  if (!object.contains("tool_choice")) return std::nullopt;
  const json& choice = object["tool_choice"];
  if (choice == "required") return "";
  if (!choice.is_object()) return std::nullopt;
  if (string_of(choice, "type") == "any") return "";
  const std::string name = name_of_tool(choice);
  return name.empty() ? std::nullopt : std::optional<std::string>(name);
}

bool forbids_tools(const json& object) {
  if (!object.contains("tool_choice")) return false;
  const json& choice = object["tool_choice"];
  return choice == "none" || (choice.is_object() && string_of(choice, "type") == "none");
}

// A result of a tool is not a wish of the user's for another call.
bool is_tool_result(const json& message) {
  if (string_of(message, "type") == "function_call_output") return true;
  if (string_of(message, "role") != "user") return true;
  if (!message.contains("content") || !message["content"].is_array()) return false;
  for (const json& part : message["content"]) {
    if (part.is_object() && string_of(part, "type") == "tool_result") return true;
  }
  return false;
}

std::string last_wish(const json& object, Dialect dialect) {
  const char* const key = dialect == Dialect::responses ? "input" : "messages";
  if (!object.contains(key)) return {};
  const json& list = object[key];
  if (list.is_string()) return list.get<std::string>();
  if (!list.is_array() || list.empty() || !list.back().is_object()) return {};
  const json& last = list.back();
  if (is_tool_result(last) || !last.contains("content")) return {};
  return text_of_content(last["content"]);
}

std::vector<std::string> calls_of(const json& object, Dialect dialect) {
  std::vector<std::string> calls;
  if (!object.contains("tools") || !object["tools"].is_array() || forbids_tools(object)) {
    return calls;
  }
  const std::string wish = last_wish(object, dialect);
  const auto forced = forced_tool(object);
  for (const json& tool : object["tools"]) {
    const std::string name = name_of_tool(tool);
    if (name.empty()) continue;
    if (forced ? (forced->empty() || *forced == name) && calls.empty() : names_call(wish, name)) {
      calls.push_back(name);
    }
  }
  return calls;
}

std::optional<std::string> read_messages(const json& object, InferRequest* request) {
  if (object.contains("system")) request->prompt_text += text_of_content(object["system"]);
  if (!object.contains("messages") || !object["messages"].is_array()) return "messages is missing";
  for (const json& message : object["messages"]) {
    if (message.is_object() && message.contains("content")) {
      request->prompt_text += text_of_content(message["content"]);
    }
  }
  return std::nullopt;
}

std::optional<std::string> read_input(const json& object, InferRequest* request) {
  request->prompt_text = string_of(object, "instructions");
  if (!object.contains("input")) return "input is missing";
  const json& input = object["input"];
  if (input.is_string()) {
    request->prompt_text += input.get<std::string>();
    return std::nullopt;
  }
  if (!input.is_array()) return "input must be a string or a list of items";
  for (const json& item : input) {
    if (!item.is_object()) continue;
    if (item.contains("content")) request->prompt_text += text_of_content(item["content"]);
    if (item.contains("output")) request->prompt_text += text_of_content(item["output"]);
  }
  return std::nullopt;
}

std::optional<std::string> read_prompt(const json& object, InferRequest* request) {
  switch (request->dialect) {
    case Dialect::chat:
    case Dialect::messages:
      return read_messages(object, request);
    case Dialect::responses:
      return read_input(object, request);
    case Dialect::text:
    case Dialect::transcript:
      break;
  }
  if (!object.contains("prompt")) return "prompt is missing";
  request->prompt_text = text_of_prompt(object["prompt"]);
  return std::nullopt;
}

std::optional<std::string> read_choices(const json& object, InferRequest* request) {
  if (!object.contains("n") || object["n"].is_null()) return std::nullopt;
  if (!object["n"].is_number_integer()) return "n must be an integer";
  const auto n = object["n"].get<std::int64_t>();
  if (n < 1 || n > InferRequest::kMaxChoices) {
    return fmt::format("n must be within 1 and {}", InferRequest::kMaxChoices);
  }
  request->choices = static_cast<int>(n);
  return std::nullopt;
}

void read_wishes(const json& object, InferRequest* request) {
  request->stream = flag(object, "stream");
  request->ignore_eos = flag(object, "ignore_eos");
  request->logprobs = flag(object, "logprobs");
  if (object.contains("stream_options") && object["stream_options"].is_object()) {
    request->include_usage = flag(object["stream_options"], "include_usage");
    request->obfuscation = flag(object["stream_options"], "include_obfuscation");
  }
  if (object.contains("testbed_reasoning") && object["testbed_reasoning"].is_number_unsigned()) {
    request->reasoning_tokens = object["testbed_reasoning"].get<std::int64_t>();
  }
  if (object.contains("testbed_fields") && object["testbed_fields"].is_object()) {
    request->more_fields = object["testbed_fields"];
  }
  request->previous_response_id = string_of(object, "previous_response_id");
  request->store = !(object.contains("store") && object["store"] == false);
}

}  // namespace

std::string text_of_content(const json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const json& part : content) {
    if (!part.is_object()) continue;
    text += string_of(part, "text");
    if (part.contains("content")) text += text_of_content(part["content"]);  // a tool's result
  }
  return text;
}

std::optional<std::string> read_infer_request(std::string_view body, Dialect dialect,
                                              InferRequest* request) {
  const json object = json::parse(body, nullptr, false);
  if (!object.is_object()) return "the body is not a JSON object";
  if (!object.contains("model") || !object["model"].is_string()) return "model is missing";
  request->dialect = dialect;
  request->model = object["model"].get<std::string>();
  read_wishes(object, request);
  request->calls = calls_of(object, dialect);
  if (auto error = read_choices(object, request)) return error;
  if (auto error = read_prompt(object, request)) return error;
  if (auto error = read_limit(object, &request->max_tokens)) return error;
  if (dialect == Dialect::messages && request->max_tokens == 0) return "max_tokens is missing";
  return std::nullopt;
}

}  // namespace sluice::testbed
