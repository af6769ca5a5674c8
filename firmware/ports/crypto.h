// Hashes and comparison of secrets. Pure functions; the library behind them is drivers/sodium.
#pragma once

#include <string>
#include <string_view>

namespace sluice::ports {

std::string sha256_hex(std::string_view bytes);  // 64 small hexadecimal digits
bool equal_in_constant_time(std::string_view a, std::string_view b);
std::string base64url(std::string_view bytes);  // RFC 4648 section 5, no padding

}  // namespace sluice::ports
