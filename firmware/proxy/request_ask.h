// From the body of a request to the Ask that the valve decides on.
#pragma once

#include <optional>
#include <variant>

#include "firmware/proxy/admission.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/upstream/request_body.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/plan.h"

namespace sluice::proxy {

// Prompts are counted without a tokenizer: this many bytes of JSON text to a token, rounded up.
inline constexpr int64_t kBytesPerToken = 4;

// Not there, or not for this key: the two are not told apart.
ApiError no_such_model(const std::string& model);

Tokens estimate_tokens(size_t prompt_bytes);

struct RequestFacts {
  upstream::Endpoint endpoint;
  const upstream::RequestBody& body;
  uint64_t id;
  Instant arrived;
  std::optional<valve::NodeId> home = {};  // made the response that this one goes on from
  bool is_translated = false;              // nodes that speak its stand-in may serve it too
  std::string untranslatable = {};         // why it is not, where that was tried
  valve::FeatureSet needs = {};
  bool has_context = false;  // its length is checked against the model's
  uint64_t beginning = 0;    // a hash of how its prompt begins; 0 = not known
};

// The valve's refusal of what no node can take as it is: 400, with the limit or what is needed; or
// 429 if the budget of its key is used up. Nothing: another reason.
std::optional<ApiError> needs_error(const valve::Plan& plan, const valve::Ask& ask);

// The month's budget of its key, or of the box, is used up.
bool is_over_budget(const ProxyWorld& world, const Tenant& tenant);

// Refusals: 404 if no node serves the model (for this key), 403 if none may be given the data, 404
// if none of those that may speaks the endpoint, 400 if it had to be translated and cannot be;
// 404 or 409 if it goes on from a response of which no node is known, or none that may be used.
std::variant<valve::Ask, ApiError> make_ask(const ProxyWorld& world, const Tenant& tenant,
                                            const RequestFacts& request);

}  // namespace sluice::proxy
