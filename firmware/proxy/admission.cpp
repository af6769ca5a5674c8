#include "firmware/proxy/admission.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::proxy {

namespace {

constexpr int64_t kDeadlineMsMax = 24 * 3600 * 1000;

ApiError unauthorized(std::string message) {
  return {401, "authentication_error", "invalid_api_key", std::move(message), {}, false};
}

ApiError bad_field(std::string_view field, std::string_view expected) {
  return {400,
          "invalid_request_error",
          "invalid_header",
          fmt::format("{} must be {}", field, expected),
          {},
          false};
}

// "Authorization: Bearer <secret>", or x-api-key as Anthropic clients send it.
std::string_view secret_of(const ports::HttpFields& fields) {
  const std::string_view authorization = fields.get("authorization");
  if (starts_with_ignoring_case(authorization, "bearer ")) return trim(authorization.substr(7));
  return trim(fields.get("x-api-key"));
}

valve::Priority to_valve(identity::KeyPriority priority) {
  switch (priority) {
    case identity::KeyPriority::low:
      return valve::Priority::low;
    case identity::KeyPriority::normal:
      return valve::Priority::normal;
    case identity::KeyPriority::high:
      return valve::Priority::high;
  }
  return valve::Priority::normal;
}

valve::Goal to_valve(identity::KeyGoal goal) {
  switch (goal) {
    case identity::KeyGoal::cost:
      return valve::Goal::cost;
    case identity::KeyGoal::balanced:
      return valve::Goal::balanced;
    case identity::KeyGoal::fast:
      return valve::Goal::fast;
    case identity::KeyGoal::green:
      return valve::Goal::green;
    case identity::KeyGoal::home_first:
      return valve::Goal::home_first;
  }
  return valve::Goal::balanced;
}

govern::DataClass to_govern(identity::DataClass data_class) {
  switch (data_class) {
    case identity::DataClass::open:
      return govern::DataClass::open;
    case identity::DataClass::internal:
      return govern::DataClass::internal;
    case identity::DataClass::home_only:
      return govern::DataClass::home_only;
  }
  return govern::DataClass::home_only;
}

Tenant tenant_of(const identity::ApiKey& key, const AdmissionPolicy& policy) {
  Tenant tenant;
  tenant.key = key.id;
  tenant.name = key.name;
  tenant.models = key.models;
  tenant.limits = {key.requests_per_minute, key.tokens_per_minute, key.concurrency};
  tenant.priority = to_valve(key.priority);
  tenant.data_class = to_govern(key.data_class);
  tenant.deadline = key.deadline.is_zero() ? policy.deadline : key.deadline;
  tenant.goal = key.goal ? to_valve(*key.goal) : policy.goal;
  tenant.budget = key.budget;
  const auto level = policy.levels.find(key.service_level);
  tenant.level = (level == policy.levels.end() ? policy.levels.find("default") : level)->second;
  return tenant;
}

std::optional<ApiError> tighten_by(Tenant& tenant, const ports::HttpField& field) {
  if (equal_ignoring_case(field.name, "x-sluice-data-class")) {
    const auto wanted = govern::data_class_from_text(field.value);
    if (!wanted) return bad_field("x-sluice-data-class", "open, internal or home-only");
    tenant.data_class = govern::stricter(tenant.data_class, *wanted);
  } else if (equal_ignoring_case(field.name, "x-sluice-priority")) {
    const auto wanted = identity::priority_from_text(field.value);
    if (!wanted) return bad_field("x-sluice-priority", "low, normal or high");
    tenant.priority = std::min(tenant.priority, to_valve(*wanted));
  } else if (equal_ignoring_case(field.name, "x-sluice-deadline-ms")) {
    const auto wanted = to_integer(field.value);
    if (!wanted || *wanted < 1 || *wanted > kDeadlineMsMax) {
      return bad_field("x-sluice-deadline-ms", "a whole number of milliseconds from 1 to 86400000");
    }
    tenant.deadline = std::min(tenant.deadline, Duration::ms(*wanted));
  }
  return std::nullopt;
}

// Each field counts, not the first of a name only: a proxy on the way may have added a stricter
// one.
std::optional<ApiError> tighten(Tenant& tenant, const ports::HttpFields& fields) {
  for (const ports::HttpField& field : fields) {
    if (std::optional<ApiError> error = tighten_by(tenant, field)) return error;
  }
  return std::nullopt;
}

}  // namespace

bool Tenant::may_use_model(std::string_view model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

Admitted admit(const ports::HttpRequestHead& head, const identity::KeyView& keys,
               const AdmissionPolicy& policy) {
  const std::string_view secret = secret_of(head.fields);
  Tenant tenant;
  tenant.deadline = policy.deadline;
  tenant.level = policy.levels.at("default");
  tenant.goal = policy.goal;
  if (!secret.empty()) {
    const identity::ApiKey* key = keys.find(secret);
    if (key != nullptr) {
      tenant = tenant_of(*key, policy);
    } else if (policy.require_key || identity::looks_like_secret(secret)) {
      // Without a need for keys clients may send what they like; but one of ours that is not known
      // was revoked, and what it was bound to (home-only, say) must not be lost by that.
      return unauthorized("this API key is not known here; ask the box's administrator for one");
    }
  } else if (policy.require_key) {
    return unauthorized("no API key was sent; send it as \"Authorization: Bearer <key>\"");
  }
  if (std::optional<ApiError> error = tighten(tenant, head.fields)) return *error;
  return tenant;
}

ApiError limit_error(const LimitRefusal& refusal, const KeyLimits& limits) {
  ApiError error{429, "rate_limit_error", "rate_limit_exceeded", "", refusal.retry_after, true};
  switch (refusal.hit) {
    case LimitHit::requests:
      error.message = fmt::format("this key may make {} requests per minute; try again later",
                                  limits.requests_per_minute);
      break;
    case LimitHit::tokens:
      error.message = fmt::format("this key may use {} tokens per minute; try again later",
                                  limits.tokens_per_minute);
      break;
    case LimitHit::concurrency:
      error.message =
          fmt::format("this key may run {} requests at a time; wait until one of them has ended",
                      limits.concurrency);
      break;
  }
  return error;
}

}  // namespace sluice::proxy
