#include "firmware/box/credentials.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/os/environment.h"
#include "firmware/base/text.h"

namespace sluice::box {

namespace {

constexpr Bytes kSecretFileMax{16 * 1024};

Result<std::string> checked(std::string secret, const std::string& source) {
  const bool printable =
      std::all_of(secret.begin(), secret.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (secret.empty() || !printable) {
    return Error{ErrorKind::refused, "credential",
                 fmt::format("{} must hold one key without blanks on its first line", source)};
  }
  return secret;
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path, ports::Files& files) {
  const Result<std::string> text = files.read(path, kSecretFileMax);
  if (!text) return text.error();
  return checked(std::string(trim(split(*text, '\n').front())), path);
}

Result<void> read_credential(const settings::NodeSettings& node, ports::Files& files,
                             upstream::NodeTarget& target) {
  if (!node.credential) return {};
  const settings::CredentialSource& source = *node.credential;
  Result<std::string> secret = std::string();
  if (!source.file.empty()) {
    secret = read_secret_file(source.file, files);
  } else {
    const std::optional<std::string> value = drivers::environment(source.env);
    if (!value) {
      return Error{ErrorKind::refused, "credential",
                   fmt::format("the environment variable {} of node \"{}\" is not set", source.env,
                               node.name)};
    }
    secret = checked(*value, fmt::format("the environment variable {}", source.env));
  }
  if (!secret) return secret.error();
  const bool bearer = source.header == "authorization-bearer";
  target.credential_field = bearer ? "authorization" : source.header;
  target.credential_value = bearer ? "Bearer " + *secret : *secret;
  return {};
}

}  // namespace sluice::box
