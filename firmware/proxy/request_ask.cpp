#include "firmware/proxy/request_ask.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/proxy/translation.h"

namespace sluice::proxy {

namespace {

std::string word_of(valve::Feature feature) {
  switch (feature) {
    case valve::Feature::tools:
      return "tools";
    case valve::Feature::vision:
      return "images (vision)";
    case valve::Feature::audio:
      return "sound (audio)";
    case valve::Feature::structured_output:
      return "an answer in a given form (structured_output)";
  }
  return "";
}

ApiError no_permitted_node(const Tenant& tenant, const std::string& model) {
  return {403,
          "permission_error",
          "data_class",
          fmt::format("data of class \"{}\" may not go to any node that serves \"{}\"; "
                      "ask the administrator, or use a model that is served locally",
                      govern::to_text(tenant.data_class), model),
          {},
          false};
}

ApiError not_spoken(upstream::Endpoint endpoint, const std::string& model) {
  return {404,
          "invalid_request_error",
          "endpoint_not_served",
          fmt::format("no node that serves \"{}\" speaks {}; use another endpoint or model, or ask "
                      "the administrator (setting nodes[].endpoints)",
                      model, upstream::path_of(endpoint)),
          {},
          false};
}

bool speaks_stand_in(const NodeAccess& access, upstream::Endpoint endpoint) {
  const std::optional<upstream::Endpoint> other = stand_in_for(endpoint);
  return other && access.speaks.has(*other);
}

// Only the node that made a response remembers it.
std::optional<ApiError> keep_to_home(const RequestFacts& request, valve::NodeSet& may_use) {
  const std::string& previous = request.body.previous_response;
  if (previous.empty()) return std::nullopt;
  if (request.home && may_use.has(*request.home)) {
    may_use = valve::NodeSet();
    may_use.add(*request.home);
    return std::nullopt;
  }
  constexpr const char* kInstead =
      "send the whole conversation in \"input\", without previous_response_id";
  if (request.home) {
    return ApiError{409,
                    "invalid_request_error",
                    "previous_response_unreachable",
                    fmt::format("the node that made the response \"{}\" may not be used for this "
                                "request, or no longer serves the model; {}",
                                previous, kInstead),
                    {},
                    false};
  }
  if (may_use.size() == 1) return std::nullopt;  // it is that node's or nobody's
  return ApiError{404,
                  "invalid_request_error",
                  "previous_response_not_found",
                  fmt::format("this box does not know which node made the response \"{}\": it is "
                              "another key's, too old, or from before a restart; {}",
                              previous, kInstead),
                  {},
                  false};
}

}  // namespace

ApiError no_such_model(const std::string& model) {
  return {404,
          "invalid_request_error",
          "model_not_found",
          fmt::format("the model \"{}\" is not served here, or not for this key; GET /v1/models "
                      "lists those that are",
                      model),
          {},
          false};
}

Tokens estimate_tokens(size_t prompt_bytes) {
  return {(static_cast<int64_t>(prompt_bytes) + kBytesPerToken - 1) / kBytesPerToken};
}

bool is_over_budget(const ProxyWorld& world, const Tenant& tenant) {
  const Money box = world.policy.budget_per_month;
  if (box.nano > 0 && world.meter.spent_in_all() >= box) return true;
  return tenant.budget.nano > 0 && world.meter.spent(tenant.key) >= tenant.budget;
}

std::optional<ApiError> needs_error(const valve::Plan& plan, const valve::Ask& ask) {
  if (plan.reason == valve::Reason::too_long) {
    const int64_t answer = ask.context.count - ask.prompt_tokens.count;
    return ApiError{400,
                    "invalid_request_error",
                    "context_length_exceeded",
                    fmt::format("this request takes about {} tokens of context, {} of them for its "
                                "answer; the longest context of the nodes that may serve \"{}\" is "
                                "{} tokens; shorten the prompt, or ask for a shorter answer",
                                ask.context.count, answer, ask.model, plan.context_max.count),
                    {},
                    false};
  }
  if (plan.reason == valve::Reason::no_feature) {
    std::string needs;
    for (int i = 0; i < valve::kFeatureCount; ++i) {
      const auto one = static_cast<valve::Feature>(i);
      if (ask.needs.has(one)) needs += (needs.empty() ? "" : ", ") + word_of(one);
    }
    return ApiError{400,
                    "invalid_request_error",
                    "capability_not_served",
                    fmt::format("this request needs {}; no node that may serve \"{}\" offers "
                                "that; leave it out, use another model, or ask the administrator "
                                "(setting nodes[].capabilities)",
                                needs, ask.model),
                    {},
                    false};
  }
  if (plan.reason != valve::Reason::over_budget) return std::nullopt;
  return ApiError{429,
                  "insufficient_quota",
                  "insufficient_quota",
                  fmt::format("the budget for this month is used up, and every node that serves "
                              "\"{}\" costs money; wait for the next month (UTC), use a model that "
                              "is served on the site, or ask the administrator",
                              ask.model),
                  {},
                  false};
}

std::variant<valve::Ask, ApiError> make_ask(const ProxyWorld& world, const Tenant& tenant,
                                            const RequestFacts& request) {
  const upstream::RequestBody& body = request.body;
  if (!tenant.may_use_model(body.model)) return no_such_model(body.model);
  const valve::NodeSet serving = world.senses.serving(body.model);
  if (serving.is_empty()) return no_such_model(body.model);
  valve::Ask ask;
  ask.id = request.id;
  ask.key = tenant.key;
  ask.model = body.model;
  ask.prompt_tokens = estimate_tokens(body.prompt_bytes);
  ask.output_tokens_max.count = body.output_max.count * std::max(1, body.choices);
  ask.stream = body.stream;
  ask.priority = tenant.priority;
  ask.level = tenant.level;
  ask.arrived = request.arrived;
  ask.deadline = request.arrived + tenant.deadline;
  ask.goal = tenant.goal;
  ask.needs = request.needs;
  ask.beginning = request.beginning;
  if (request.has_context) {
    ask.context = ask.prompt_tokens + Tokens{std::max<int64_t>(1, body.output_max.count)};
  }
  ask.stays_home = tenant.data_class == govern::DataClass::home_only;
  bool permitted = false;
  for (const auto& [node, access] : world.nodes) {
    if (!serving.has(node) || !govern::may_go(tenant.data_class, access.data)) continue;
    permitted = true;
    const bool may_serve = access.speaks.has(request.endpoint) ||
                           (request.is_translated && speaks_stand_in(access, request.endpoint));
    if (may_serve) ask.may_use.add(node);
  }
  if (!permitted) return no_permitted_node(tenant, body.model);
  if (ask.may_use.is_empty() && !request.untranslatable.empty()) {
    return ApiError{400,  "invalid_request_error", "not_translatable", request.untranslatable, {},
                    false};
  }
  if (ask.may_use.is_empty()) return not_spoken(request.endpoint, body.model);
  if (std::optional<ApiError> error = keep_to_home(request, ask.may_use)) return *error;
  return ask;
}

}  // namespace sluice::proxy
