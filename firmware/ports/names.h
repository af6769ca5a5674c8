// Names of the internet to addresses. Thread: loop; the answer comes in a later turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"

namespace sluice::ports {

inline constexpr size_t kNameAddressesMax = 16;

class NameQuery {  // destroying it gives up
 public:
  virtual ~NameQuery() = default;
};

class Names {
 public:
  using Done = std::function<void(Result<std::vector<IpAddress>>)>;
  virtual ~Names() = default;
  // Both families, as the system's resolver orders them; a numeric `host` is itself.
  // Errors: gone (no such name, no answer).
  virtual std::unique_ptr<NameQuery> resolve(const std::string& host, Done done) = 0;
};

}  // namespace sluice::ports
