// The paths of the API that are passed on to nodes, and what is peculiar to each: the form of the
// request's body, which members of it are read, how the answer's stream speaks.
// Sources: OpenAI API reference; Anthropic Messages API; Jina AI rerank API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::upstream {

enum class Endpoint {
  chat_completions,
  completions,
  embeddings,
  responses,
  messages,
  count_tokens,  // of messages
  rerank,
  transcriptions,
  translations,
  speech,
  image_generations,
  image_edits,
  image_variations,
};
inline constexpr size_t kEndpointCount = 13;

// How a streamed answer speaks: what its end, its usage, an error and generated text look like.
enum class Dialect {
  chat,       // data: {chunk} ... data: [DONE]
  responses,  // typed events, to response.completed, .incomplete or .failed
  messages,   // typed events, message_start to message_stop
  plain,      // no last event is agreed upon: the transfer's end is the stream's
};

struct EndpointFacts {
  Endpoint endpoint;
  const char* path;         // here and below a node's base URL
  const char* ledger_name;  // "chat.completions": as OpenAI names the object
  const char* word;         // in settings and engine descriptions
  Dialect dialect;
  bool multipart;               // RFC 7578; all others are JSON
  bool may_stream;              // a "stream" member is obeyed
  bool takes_usage_option;      // stream_options.include_usage
  const char* prompt_key;       // must be there; empty: none must
  const char* more_prompt_key;  // counts as prompt too; empty: none
};

const EndpointFacts& facts_of(Endpoint endpoint);
std::span<const EndpointFacts> all_endpoints();
std::optional<Endpoint> endpoint_at(std::string_view path);
std::optional<Endpoint> endpoint_from_word(std::string_view word);

const char* path_of(Endpoint endpoint);  // "/v1/chat/completions" ...
const char* name_of(Endpoint endpoint);  // in the ledger

// What a node speaks.
class EndpointSet {
 public:
  static constexpr EndpointSet all() { return EndpointSet((uint32_t{1} << kEndpointCount) - 1); }
  constexpr EndpointSet() = default;
  constexpr bool has(Endpoint endpoint) const { return (bits_ & bit(endpoint)) != 0; }
  constexpr void add(Endpoint endpoint) { bits_ |= bit(endpoint); }
  constexpr void remove(Endpoint endpoint) { bits_ &= ~bit(endpoint); }
  constexpr bool is_empty() const { return bits_ == 0; }
  bool operator==(const EndpointSet&) const = default;

 private:
  explicit constexpr EndpointSet(uint32_t bits) : bits_(bits) {}
  static constexpr uint32_t bit(Endpoint endpoint) {
    return uint32_t{1} << static_cast<unsigned>(endpoint);
  }
  uint32_t bits_ = 0;
};

}  // namespace sluice::upstream
