// From the head of a request to who is asking and what they may do: key, limits, tightening.
// A refusal is an ApiError, decided before the body is read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>

#include "firmware/base/time.h"
#include "firmware/govern/permit.h"
#include "firmware/identity/key_view.h"
#include "firmware/ports/http_message.h"
#include "firmware/proxy/api_error.h"
#include "firmware/proxy/rate_limit.h"
#include "firmware/valve/ask.h"

namespace sluice::proxy {

struct AdmissionPolicy {
  bool require_key = true;
  std::map<std::string, valve::ServiceLevel> levels;  // has "default"
  Duration deadline = Duration::seconds(600);         // for the first byte, where the key has none
  valve::Goal goal = valve::Goal::balanced;           // where the key has none
};

// Who asks, for the life of the request. Header fields may tighten it, never loosen it:
// x-sluice-data-class (a stricter class), x-sluice-priority (a lower one), x-sluice-deadline-ms
// (an earlier one).
struct Tenant {
  std::string key = "anonymous";
  std::string name = "anonymous";
  std::vector<std::string> models;  // empty: all
  KeyLimits limits;
  valve::Priority priority = valve::Priority::normal;
  govern::DataClass data_class = govern::DataClass::internal;
  Duration deadline;
  valve::ServiceLevel level;
  valve::Goal goal = valve::Goal::balanced;
  Money budget;  // for a month; zero = no limit

  bool may_use_model(std::string_view model) const;
};

using Admitted = std::variant<Tenant, ApiError>;

Admitted admit(const ports::HttpRequestHead& head, const identity::KeyView& keys,
               const AdmissionPolicy& policy);

ApiError limit_error(const LimitRefusal& refusal, const KeyLimits& limits);

}  // namespace sluice::proxy
