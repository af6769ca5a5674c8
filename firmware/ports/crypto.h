// Hashes and comparison of secrets. Pure functions; the library behind them is drivers/sodium.
#pragma once

#include <string>
#include <string_view>

namespace sluice::ports {

std::string sha256_hex(std::string_view bytes);  // 64 small hexadecimal digits
bool equal_in_constant_time(std::string_view a, std::string_view b);
std::string base64url(std::string_view bytes);  // RFC 4648 section 5, no padding
// BLAKE2b-128 with a key of 16 to 64 bytes (RFC 7693): 16 bytes that only who has the key can make.
std::string keyed_hash(std::string_view key, std::string_view bytes);
// X25519, RFC 7748: the public key of a private one; 32 bytes each.
std::string x25519_public(std::string_view private_key);

}  // namespace sluice::ports
