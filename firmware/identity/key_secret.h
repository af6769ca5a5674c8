// Secrets and ids of API keys: "slk-" and 43 letters of base64url (256 random bits); "k" and 8
// hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

#include "firmware/ports/random.h"

namespace sluice::identity {

std::string make_key_secret(ports::Secrets& secrets);
std::string make_key_id(ports::Secrets& secrets);

bool is_key_id(std::string_view text);

}  // namespace sluice::identity
