#include "firmware/upstream/endpoint.h"

#include <array>

namespace sluice::upstream {

namespace {

using E = Endpoint;
using D = Dialect;

// In the order of the enumerators.
constexpr std::array<EndpointFacts, kEndpointCount> kFacts = {{
    {E::chat_completions, "/v1/chat/completions", "chat.completions", "chat_completions", D::chat,
     false, true, true, "messages", "tools"},
    {E::completions, "/v1/completions", "completions", "completions", D::chat, false, true, true,
     "prompt", ""},
    {E::embeddings, "/v1/embeddings", "embeddings", "embeddings", D::plain, false, false, false,
     "input", ""},
    {E::responses, "/v1/responses", "responses", "responses", D::responses, false, true, false, "",
     "input"},
    {E::messages, "/v1/messages", "messages", "messages", D::messages, false, true, false,
     "messages", "system"},
    {E::count_tokens, "/v1/messages/count_tokens", "messages.count_tokens", "messages_count_tokens",
     D::plain, false, false, false, "messages", "system"},
    {E::rerank, "/v1/rerank", "rerank", "rerank", D::plain, false, false, false, "documents",
     "query"},
    {E::transcriptions, "/v1/audio/transcriptions", "audio.transcriptions", "audio_transcriptions",
     D::plain, true, true, false, "", ""},
    {E::translations, "/v1/audio/translations", "audio.translations", "audio_translations",
     D::plain, true, true, false, "", ""},
    {E::speech, "/v1/audio/speech", "audio.speech", "audio_speech", D::plain, false, false, false,
     "input", ""},
    {E::image_generations, "/v1/images/generations", "images.generations", "images_generations",
     D::plain, false, true, false, "prompt", ""},
    {E::image_edits, "/v1/images/edits", "images.edits", "images_edits", D::plain, true, true,
     false, "", ""},
    {E::image_variations, "/v1/images/variations", "images.variations", "images_variations",
     D::plain, true, false, false, "", ""},
}};

constexpr bool is_in_order() {
  for (size_t i = 0; i < kFacts.size(); ++i) {
    if (static_cast<size_t>(kFacts[i].endpoint) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

const EndpointFacts& facts_of(Endpoint endpoint) { return kFacts[static_cast<size_t>(endpoint)]; }

std::span<const EndpointFacts> all_endpoints() { return kFacts; }

std::optional<Endpoint> endpoint_at(std::string_view path) {
  for (const EndpointFacts& facts : kFacts) {
    if (path == facts.path) return facts.endpoint;
  }
  return std::nullopt;
}

std::optional<Endpoint> endpoint_from_word(std::string_view word) {
  for (const EndpointFacts& facts : kFacts) {
    if (word == facts.word) return facts.endpoint;
  }
  return std::nullopt;
}

const char* path_of(Endpoint endpoint) { return facts_of(endpoint).path; }

const char* name_of(Endpoint endpoint) { return facts_of(endpoint).ledger_name; }

}  // namespace sluice::upstream
