#include "tests/testbed/plain_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/testbed/infer_request.h"
#include "tests/testbed/multipart.h"
#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

using nlohmann::json;

constexpr int kEmbeddingSize = 16;
constexpr std::int64_t kMaxImages = 10;

json parse(std::string_view body) { return json::parse(body, nullptr, false); }

std::string string_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer_of(const json& object, const char* key, std::int64_t otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                             : otherwise;
}

std::int64_t tokens_of(std::string_view text) { return prompt_tokens(text.size()); }

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

std::string document_text(const json& document) {
  return document.is_string() ? document.get<std::string>() : string_of(document, "text");
}

json images(std::string_view prompt, std::int64_t count) {
  json list = json::array();
  for (std::int64_t i = 0; i < std::clamp<std::int64_t>(count, 1, kMaxImages); ++i) {
    const std::uint64_t seed = text_seed(prompt) + static_cast<std::uint64_t>(i);
    list.push_back({{"b64_json", base64("\x89PNG\r\n\x1a\n" + noise(seed, kImageBytes))}});
  }
  return list;
}

json image_usage(std::string_view prompt, std::size_t count) {
  const std::int64_t output = static_cast<std::int64_t>(count) * 100;
  return {{"input_tokens", tokens_of(prompt)},
          {"output_tokens", output},
          {"total_tokens", tokens_of(prompt) + output}};
}

}  // namespace

std::string noise(std::uint64_t seed, std::size_t size) {
  std::string bytes;
  bytes.reserve(size + 8);
  for (std::uint64_t i = 0; bytes.size() < size; ++i) {
    const std::uint64_t value = mix(seed ^ mix(i));
    char raw[sizeof(value)];
    std::memcpy(raw, &value, sizeof(value));
    bytes.append(raw, sizeof(raw));
  }
  bytes.resize(size);
  return bytes;
}

std::optional<std::string> answer_embeddings(const PlainRequest& request, PlainAnswer* answer) {
  const json object = parse(request.body);
  if (!object.is_object() || !object.contains("input")) return "input is missing";
  json inputs = object["input"];
  if (!inputs.is_array()) inputs = json::array({inputs});
  const bool as_base64 =
      object.contains("encoding_format") && object["encoding_format"] == "base64";
  json list = json::array();
  std::int64_t tokens = 0;
  for (const json& input : inputs) {
    const std::string text = input.is_string() ? input.get<std::string>() : input.dump();
    tokens += tokens_of(text);
    list.push_back({{"object", "embedding"},
                    {"index", list.size()},
                    {"embedding", embedding_of(text, as_base64)}});
  }
  const json usage = {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
  answer->model = string_of(object, "model");
  answer->body =
      json{{"object", "list"}, {"data", list}, {"model", answer->model}, {"usage", usage}}.dump();
  return std::nullopt;
}

std::optional<std::string> answer_rerank(const PlainRequest& request, PlainAnswer* answer) {
  const json object = parse(request.body);
  if (!object.is_object()) return "the body is not a JSON object";
  const std::string query = string_of(object, "query");
  if (query.empty()) return "query is missing";
  if (!object.contains("documents") || !object["documents"].is_array()) {
    return "documents is missing";
  }
  json results = json::array();
  std::int64_t tokens = 0;
  for (const json& document : object["documents"]) {
    const std::string text = document_text(document);
    tokens += tokens_of(query) + tokens_of(text);
    const double score = static_cast<double>(text_seed(query + text) % 100'000) / 100'000.0;
    results.push_back(
        {{"index", results.size()}, {"document", {{"text", text}}}, {"relevance_score", score}});
  }
  std::stable_sort(results.begin(), results.end(), [](const json& a, const json& b) {
    return a["relevance_score"].get<double>() > b["relevance_score"].get<double>();
  });
  const auto most =
      integer_of(object, "top_n", static_cast<std::int64_t>(object["documents"].size()));
  while (static_cast<std::int64_t>(results.size()) > std::max<std::int64_t>(0, most)) {
    results.erase(results.end() - 1);
  }
  answer->model = string_of(object, "model");
  answer->body = json{
      {"id", fmt::format("rerank-{:016x}", text_seed(request.body))},
      {"model", answer->model},
      {"usage", {{"total_tokens", tokens}}},
      {"results",
       results}}.dump();
  return std::nullopt;
}

std::optional<std::string> answer_speech(const PlainRequest& request, PlainAnswer* answer) {
  const json object = parse(request.body);
  if (!object.is_object()) return "the body is not a JSON object";
  const std::string input = string_of(object, "input");
  if (input.empty()) return "input is missing";
  answer->model = string_of(object, "model");
  const std::string format = string_of(object, "response_format");
  answer->type = format == "wav" ? "audio/wav" : format == "pcm" ? "audio/pcm" : "audio/mpeg";
  answer->body =
      noise(text_seed(input), kSpeechBytesPerToken * static_cast<std::size_t>(tokens_of(input)));
  return std::nullopt;
}

std::optional<std::string> answer_images(const PlainRequest& request, PlainAnswer* answer) {
  const json object = parse(request.body);
  if (!object.is_object()) return "the body is not a JSON object";
  const std::string prompt = string_of(object, "prompt");
  if (prompt.empty()) return "prompt is missing";
  const json list = images(prompt, integer_of(object, "n", 1));
  answer->model = string_of(object, "model");
  answer->body =
      json{{"created", request.now}, {"data", list}, {"usage", image_usage(prompt, list.size())}}
          .dump();
  return std::nullopt;
}

std::optional<std::string> answer_image_edit(const PlainRequest& request, PlainAnswer* answer) {
  Form form;
  if (auto error = read_form(request.content_type, request.body, &form)) return error;
  const FormPart* image = form.find("image");
  if (image == nullptr) image = form.find("image[]");
  if (image == nullptr || image->file_name.empty()) return "image is missing";
  const std::string prompt = form.text("prompt");
  if (prompt.empty()) return "prompt is missing";
  const json list = images(prompt + sha256_hex(image->bytes), 1);
  answer->model = form.text("model");
  answer->body = json{
      {"created", request.now},
      {"data", list},
      {"usage", image_usage(prompt, list.size())},
      {"testbed",
       told(form)}}.dump();
  return std::nullopt;
}

std::optional<std::string> answer_token_count(const PlainRequest& request, PlainAnswer* answer) {
  json object = parse(request.body);
  if (!object.is_object()) return "the body is not a JSON object";
  object["max_tokens"] = 1;  // which this request may lack
  InferRequest read;
  if (auto error = read_infer_request(object.dump(), Dialect::messages, &read)) return error;
  answer->model = read.model;
  answer->body = json{{"input_tokens", tokens_of(read.prompt_text)}}.dump();
  return std::nullopt;
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

}  // namespace sluice::testbed
