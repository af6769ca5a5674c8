// Answers that are computed at once, not token by token: embeddings, rerank, speech, images, lists.
// Each is a function of the request's body only, but for `created`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

struct PlainRequest {
  std::string_view body;
  std::string_view content_type;
  std::int64_t now = 0;  // Unix seconds
};

struct PlainAnswer {
  std::string model;  // that was asked for; empty if the body names none
  std::string body;
  std::string type = "application/json";
};

// Errors: a text for people when the body is not such a request.
using PlainFunction = std::optional<std::string> (*)(const PlainRequest&, PlainAnswer*);

std::optional<std::string> answer_embeddings(const PlainRequest& request, PlainAnswer* answer);
// One document per line of `results`, the best first; score and order depend on the texts only.
std::optional<std::string> answer_rerank(const PlainRequest& request, PlainAnswer* answer);
// kSpeechBytesPerToken bytes of noise for each token of the input.
std::optional<std::string> answer_speech(const PlainRequest& request, PlainAnswer* answer);
std::optional<std::string> answer_images(const PlainRequest& request, PlainAnswer* answer);
// Multipart; "testbed" in the answer tells what arrived.
std::optional<std::string> answer_image_edit(const PlainRequest& request, PlainAnswer* answer);
// Of /v1/messages/count_tokens.
std::optional<std::string> answer_token_count(const PlainRequest& request, PlainAnswer* answer);

constexpr std::size_t kSpeechBytesPerToken = 1000;
constexpr std::size_t kImageBytes = 4096;

std::string noise(std::uint64_t seed, std::size_t size);
std::string models_body(const std::vector<std::string>& models, std::int64_t created,
                        std::int64_t max_model_len);

}  // namespace sluice::testbed
