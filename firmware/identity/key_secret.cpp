#include "firmware/identity/key_secret.h"

#include "firmware/identity/key_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "firmware/base/check.h"
#include "firmware/ports/crypto.h"

namespace sluice::identity {

namespace {

constexpr std::string_view kSecretPrefix = "slk-";
constexpr size_t kSecretBytes = 32;
constexpr size_t kIdBytes = 4;

std::string random_bytes(ports::Secrets& secrets, size_t count) {
  std::string bytes = secrets.bytes(count);
  ENSURE(bytes.size() == count);
  return bytes;
}

}  // namespace

std::string make_key_secret(ports::Secrets& secrets) {
  return std::string(kSecretPrefix) + ports::base64url(random_bytes(secrets, kSecretBytes));
}

std::string make_key_id(ports::Secrets& secrets) {
  std::string id = "k";
  for (char c : random_bytes(secrets, kIdBytes)) {
    fmt::format_to(std::back_inserter(id), "{:02x}", static_cast<unsigned char>(c));
  }
  return id;
}

bool is_key_id(std::string_view text) {
  return text.size() == 1 + 2 * kIdBytes && text.front() == 'k' &&
         std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool looks_like_secret(std::string_view text) {
  return text.substr(0, kSecretPrefix.size()) == kSecretPrefix;
}

}  // namespace sluice::identity
