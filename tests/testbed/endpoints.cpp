#include "tests/testbed/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sluice::testbed {

namespace {

constexpr std::array<EndpointEntry, 12> kEndpoints = {{
    {"chat_completions", "/v1/chat/completions", Dialect::chat},
    {"completions", "/v1/completions", Dialect::text},
    {"responses", "/v1/responses", Dialect::responses},
    {"messages", "/v1/messages", Dialect::messages},
    {"messages", "/v1/messages/count_tokens", std::nullopt, answer_token_count},
    {"audio_transcriptions", "/v1/audio/transcriptions", Dialect::transcript},
    {"audio_translations", "/v1/audio/translations", Dialect::transcript},
    {"embeddings", "/v1/embeddings", std::nullopt, answer_embeddings},
    {"rerank", "/v1/rerank", std::nullopt, answer_rerank},
    {"audio_speech", "/v1/audio/speech", std::nullopt, answer_speech},
    {"images_generations", "/v1/images/generations", std::nullopt, answer_images},
    {"images_edits", "/v1/images/edits", std::nullopt, answer_image_edit},
}};

}  // namespace

const EndpointEntry* endpoint_at(std::string_view path) {
  const auto* const found =
      std::find_if(kEndpoints.begin(), kEndpoints.end(),
                   [path](const EndpointEntry& entry) { return entry.path == path; });
  return found == kEndpoints.end() ? nullptr : found;
}

std::optional<std::string> read_endpoint_names(std::string_view text,
                                               std::vector<std::string>* names) {
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    const bool known =
        std::any_of(kEndpoints.begin(), kEndpoints.end(),
                    [name](const EndpointEntry& entry) { return entry.name == name; });
    if (!known) return fmt::format("--endpoints: {} is unknown", name);
    names->emplace_back(name);
  }
  return std::nullopt;
}

}  // namespace sluice::testbed
