// The API keys of the box, kept in one JSON file. The file is the truth: each command reads it,
// changes it and replaces it under a lock, so that the command line and a running daemon may both
// change keys; the daemon sees a foreign change with load().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/identity/key_commands.h"
#include "firmware/identity/key_view.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"
#include "firmware/ports/random.h"

namespace sluice::identity {

inline constexpr Bytes kKeyFileMax{64 * 1024 * 1024};

struct KeyStorePorts {
  ports::Files& files;
  ports::Secrets& secrets;
  ports::Calendar& calendar;
};

class KeyStore final : public KeyView, public KeyCommands {
 public:
  // `path`: e.g. <state_dir>/keys.json; <path>.lock is made beside it. Knows no key before load().
  KeyStore(KeyStorePorts ports, std::string path);

  // No file is no keys. Errors: broken and those of the file, with what to do; the keys known
  // before stay.
  Result<void> load();

  const ApiKey* find(std::string_view secret) const override;

  // When kKeysMax is reached the key that was revoked first is forgotten.
  Result<NewKey> add(const KeySpec& spec) override;
  Result<ApiKey> revoke(std::string_view id_or_name) override;
  std::vector<ApiKey> list() const override { return keys_; }

 private:
  Result<std::vector<ApiKey>> read() const;
  Result<void> replace(std::vector<ApiKey> keys);  // the file, then what is known
  void know(std::vector<ApiKey> keys);
  Result<std::string> new_id(const std::vector<ApiKey>& keys);

  // Fixed after construction.
  const KeyStorePorts ports_;
  const std::string path_;
  // Changes.
  std::vector<ApiKey> keys_;
  std::map<std::string, size_t, std::less<>> living_;  // hash -> index in keys_
};

}  // namespace sluice::identity
