// The addresses of a subnet that an administrator names, e.g. 192.168.7.0/28. IPv4. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::sense {

inline constexpr int kSubnetBitsMin = 22;  // at most 1,024 addresses

// In order, without network and broadcast address where there are more than two.
// Errors: refused, with what to write.
Result<std::vector<std::string>> hosts_of(std::string_view cidr);

}  // namespace sluice::sense
