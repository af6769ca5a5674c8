#include "tests/testbed/chat_wire.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

using nlohmann::json;

constexpr int kEmbeddingSize = 16;
constexpr std::int64_t kMaxAskedTokens = 100'000'000;

json parse(std::string_view body) { return json::parse(body, nullptr, false); }

std::string quote(std::string_view text) { return json(text).dump(); }

std::string text_of_content(const json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const json& part : content) {
    if (part.is_object() && part.contains("text") && part["text"].is_string()) {
      text += part["text"].get<std::string>();
    }
  }
  return text;
}

std::string text_of_prompt(const json& prompt) {
  if (prompt.is_string()) return prompt.get<std::string>();
  std::string text;
  for (const json& part : prompt) text += part.is_string() ? part.get<std::string>() : part.dump();
  return text;
}

bool flag(const json& object, const char* key) {
  return object.contains(key) && object[key] == true;
}

std::optional<std::string> read_limit(const json& object, std::int64_t* limit) {
  for (const char* key : {"max_tokens", "max_completion_tokens"}) {
    if (!object.contains(key) || object[key].is_null()) continue;
    if (!object[key].is_number_integer()) return fmt::format("{} must be an integer", key);
    *limit = object[key].get<std::int64_t>();
    if (*limit < 1 || *limit > kMaxAskedTokens) return fmt::format("{} must be at least 1", key);
  }
  return std::nullopt;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= have ? kDigits[(group >> (18 - 6 * k)) & 63U] : '=';
    }
  }
  return text;
}

json embedding_of(std::string_view text, bool as_base64) {
  json values = json::array();
  std::string bytes;
  for (int i = 0; i < kEmbeddingSize; ++i) {
    const std::uint64_t chance = mix(text_seed(text) + static_cast<std::uint64_t>(i));
    const float value = static_cast<float>(chance >> 40) / 8388608.0F - 1.0F;
    values.push_back(value);
    char raw[sizeof(value)];
    std::memcpy(raw, &value, sizeof(value));
    bytes.append(raw, sizeof(raw));
  }
  return as_base64 ? json(base64(bytes)) : values;
}

}  // namespace

std::optional<std::string> read_chat_request(std::string_view body, bool chat,
                                             ChatRequest* request) {
  const json object = parse(body);
  if (!object.is_object()) return "the body is not a JSON object";
  if (!object.contains("model") || !object["model"].is_string()) return "model is missing";
  if (object.contains("n") && object["n"] != 1) return "n other than 1 is not supported";
  request->chat = chat;
  request->model = object["model"].get<std::string>();
  request->stream = flag(object, "stream");
  request->ignore_eos = flag(object, "ignore_eos");
  if (object.contains("stream_options") && object["stream_options"].is_object()) {
    request->include_usage = flag(object["stream_options"], "include_usage");
  }
  if (chat) {
    if (!object.contains("messages") || !object["messages"].is_array()) {
      return "messages is missing";
    }
    for (const json& message : object["messages"]) {
      if (message.is_object() && message.contains("content")) {
        request->prompt_text += text_of_content(message["content"]);
      }
    }
  } else {
    if (!object.contains("prompt")) return "prompt is missing";
    request->prompt_text = text_of_prompt(object["prompt"]);
  }
  return read_limit(object, &request->max_tokens);
}

AnswerWire::AnswerWire(const ChatRequest& request, std::string id, std::int64_t created)
    : chat_(request.chat),
      include_usage_(request.include_usage),
      id_(std::move(id)),
      model_(quote(request.model)),
      created_(created) {}

std::string AnswerWire::event(std::string_view choices, std::string_view usage) const {
  return fmt::format(
      "data: "
      "{{\"id\":\"{}\",\"object\":\"{}\",\"created\":{},\"model\":{},\"choices\":[{}]{}}}\n\n",
      id_, chat_ ? "chat.completion.chunk" : "text_completion", created_, model_, choices, usage);
}

std::string AnswerWire::role_event() const {
  if (!chat_) return {};
  return event(
      "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
      "\"finish_reason\":null}",
      include_usage_ ? ",\"usage\":null" : "");
}

std::string AnswerWire::token_event(std::string_view text, std::string_view finish_reason) const {
  const std::string content =
      chat_ ? fmt::format("\"delta\":{{\"content\":{}}}", quote(text)) : "\"text\":" + quote(text);
  const std::string reason = finish_reason.empty() ? "null" : quote(finish_reason);
  return event(
      fmt::format("{{\"index\":0,{},\"logprobs\":null,\"finish_reason\":{}}}", content, reason),
      include_usage_ ? ",\"usage\":null" : "");
}

std::string AnswerWire::usage_event(std::int64_t prompt_tokens,
                                    std::int64_t completion_tokens) const {
  return event("",
               fmt::format(",\"usage\":{{\"prompt_tokens\":{},\"total_tokens\":{},"
                           "\"completion_tokens\":{}}}",
                           prompt_tokens, prompt_tokens + completion_tokens, completion_tokens));
}

std::string AnswerWire::whole(std::string_view text, std::string_view finish_reason,
                              std::int64_t prompt_tokens, std::int64_t completion_tokens) const {
  const std::string content =
      chat_ ? fmt::format("\"message\":{{\"role\":\"assistant\",\"content\":{}}}", quote(text))
            : "\"text\":" + quote(text);
  return fmt::format(
      "{{\"id\":\"{}\",\"object\":\"{}\",\"created\":{},\"model\":{},\"choices\":[{{\"index\":0,{},"
      "\"logprobs\":null,\"finish_reason\":{}}}],\"usage\":{{\"prompt_tokens\":{},"
      "\"total_tokens\":{},\"completion_tokens\":{}}}}}",
      id_, chat_ ? "chat.completion" : "text_completion", created_, model_, content,
      quote(finish_reason), prompt_tokens, prompt_tokens + completion_tokens, completion_tokens);
}

std::string error_body(int status, std::string_view type, std::string_view message) {
  const json error = {{"message", message}, {"type", type}, {"param", nullptr}, {"code", status}};
  return json{{"error", error}}.dump();
}

std::string models_body(const std::vector<std::string>& models, std::int64_t created,
                        std::int64_t max_model_len) {
  json list = json::array();
  for (const std::string& model : models) {
    list.push_back({{"id", model},
                    {"object", "model"},
                    {"created", created},
                    {"owned_by", "vllm"},
                    {"root", model},
                    {"parent", nullptr},
                    {"max_model_len", max_model_len}});
  }
  return json{{"object", "list"}, {"data", list}}.dump();
}

std::optional<std::string> answer_embeddings(std::string_view body, std::string* answer) {
  const json object = parse(body);
  if (!object.is_object() || !object.contains("input")) return "input is missing";
  json inputs = object["input"];
  if (!inputs.is_array()) inputs = json::array({inputs});
  const bool as_base64 =
      object.contains("encoding_format") && object["encoding_format"] == "base64";
  json list = json::array();
  std::int64_t tokens = 0;
  for (const json& input : inputs) {
    const std::string text = input.is_string() ? input.get<std::string>() : input.dump();
    tokens += prompt_tokens(text.size());
    list.push_back({{"object", "embedding"},
                    {"index", list.size()},
                    {"embedding", embedding_of(text, as_base64)}});
  }
  const json usage = {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
  *answer = json{
      {"object", "list"},
      {"data", list},
      {"model", object.value("model", json(""))},
      {"usage",
       usage}}.dump();
  return std::nullopt;
}

}  // namespace sluice::testbed
