#include "firmware/ports/crypto.h"

#include <sodium.h>

#include <array>

#include "firmware/base/check.h"

namespace sluice::ports {

namespace {

const unsigned char* octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), octets(bytes), bytes.size());
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return std::string(hex.data());
}

// The sizes are no secret: keys and hashes have fixed ones.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64url(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string out(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');  // counts the NUL
  ENSURE(sodium_bin2base64(out.data(), out.size(), octets(bytes), bytes.size(), kVariant) !=
         nullptr);
  out.pop_back();
  return out;
}

std::string keyed_hash(std::string_view key, std::string_view bytes) {
  ENSURE(key.size() >= crypto_generichash_KEYBYTES_MIN &&
         key.size() <= crypto_generichash_KEYBYTES_MAX);
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), octets(bytes), bytes.size(), octets(key),
                     key.size());
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::string x25519_public(std::string_view private_key) {
  ENSURE(private_key.size() == crypto_scalarmult_SCALARBYTES);
  std::string out(crypto_scalarmult_BYTES, '\0');
  ENSURE(crypto_scalarmult_base(reinterpret_cast<unsigned char*>(out.data()),
                                octets(private_key)) == 0);
  return out;
}

}  // namespace sluice::ports
