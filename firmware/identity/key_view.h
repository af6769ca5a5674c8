// Who is asking? The one question that the way of a request asks of identity.
#pragma once

#include <string_view>

#include "firmware/identity/api_key.h"

namespace sluice::identity {

// Every secret of this box begins so; what begins so and is not known was revoked, or is a mistake.
inline constexpr std::string_view kSecretPrefix = "slk-";

class KeyView {
 public:
  virtual ~KeyView() = default;
  // Null: no living key has this secret. The pointer holds until the next change of keys: copy.
  virtual const ApiKey* find(std::string_view secret) const = 0;
};

}  // namespace sluice::identity
