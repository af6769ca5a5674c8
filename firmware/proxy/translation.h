// A request said in the words of another endpoint, for nodes that do not speak its own.
// Today: /v1/messages for nodes that speak chat completions.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/http_body.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/upstream/request_body.h"

namespace sluice::proxy {

struct Translation {
  std::shared_ptr<const ports::HttpBody> body;  // counted in the world's room, like every body
  upstream::RequestBody read;
};

// The endpoint whose words can stand for those of `endpoint`; nothing: there is none.
std::optional<upstream::Endpoint> stand_in_for(upstream::Endpoint endpoint);

// Some node that serves the model would need it.
bool may_need_translation(const ProxyWorld& world, upstream::Endpoint endpoint,
                          const std::string& model);

// Errors: refused, with the field that cannot be said; busy, if there is no room; broken, if the
// body cannot be read back.
Result<Translation> translate(ProxyWorld& world, const std::string& key,
                              const ports::HttpBody& body);

}  // namespace sluice::proxy
