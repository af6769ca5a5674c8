#include "firmware/proxy/translation.h"

#include <fmt/format.h>

#include "firmware/proxy/kept_body.h"
#include "firmware/upstream/messages_request.h"

namespace sluice::proxy {

using upstream::Endpoint;

std::optional<Endpoint> stand_in_for(Endpoint endpoint) {
  if (endpoint == Endpoint::messages) return Endpoint::chat_completions;
  return std::nullopt;
}

bool may_need_translation(const ProxyWorld& world, Endpoint endpoint, const std::string& model) {
  const std::optional<Endpoint> other = stand_in_for(endpoint);
  if (!other) return false;
  const valve::NodeSet serving = world.senses.serving(model);
  for (const auto& [node, access] : world.nodes) {
    if (!serving.has(node) || access.speaks.has(endpoint)) continue;
    if (access.speaks.has(*other)) return true;
  }
  return false;
}

Result<Translation> translate(ProxyWorld& world, const std::string& key,
                              const ports::HttpBody& body) {
  if (body.size() > upstream::kTranslatedRequestMax) {
    return Error{ErrorKind::refused, "body",
                 fmt::format("requests of more than {} bytes go only to nodes that speak "
                             "/v1/messages themselves",
                             upstream::kTranslatedRequestMax)};
  }
  const Result<std::string> text = ports::read_range(body, 0, static_cast<size_t>(body.size()));
  if (!text) return text.error();
  const Result<std::string> said = upstream::chat_request_from_messages(*text);
  if (!said) return said.error();
  const auto kept = std::make_shared<KeptBody>(world.bodies, world.scratch, key);
  if (const auto refusal = kept->append(*said)) {
    return Error{ErrorKind::busy, "body", body_error(*refusal, world.bodies.bounds()).message};
  }
  Result<upstream::RequestBody> read =
      upstream::RequestReader(Endpoint::chat_completions).finish(*kept);
  if (!read) return read.error();
  return Translation{kept, std::move(*read)};
}

}  // namespace sluice::proxy
