// Who is asking? The one question that the way of a request asks of identity.
#pragma once

#include <string_view>

#include "firmware/identity/api_key.h"

namespace sluice::identity {

class KeyView {
 public:
  virtual ~KeyView() = default;
  // Null: no living key has this secret. The pointer holds until the next change of keys: copy.
  virtual const ApiKey* find(std::string_view secret) const = 0;
};

}  // namespace sluice::identity
