// Who is asking? The one question that the way of a request asks of identity.
#pragma once

#include <string_view>

#include "firmware/identity/api_key.h"

namespace sluice::identity {

// It begins as every secret of this box does: not a thing to show or to store under another name;
// and if it is not known, it was revoked, or is a mistake.
bool looks_like_secret(std::string_view text);

class KeyView {
 public:
  virtual ~KeyView() = default;
  // Null: no living key has this secret. The pointer holds until the next change of keys: copy.
  virtual const ApiKey* find(std::string_view secret) const = 0;
};

}  // namespace sluice::identity
