#include "firmware/identity/key_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/identity/key_file.h"
#include "firmware/identity/key_secret.h"
#include "firmware/ports/crypto.h"

namespace sluice::identity {

namespace {

constexpr int kIdTriesMax = 100;

Error refused(std::string text) { return {ErrorKind::refused, "identity", std::move(text)}; }

ApiKey key_from(const KeySpec& spec) {
  ApiKey key;
  key.name = spec.name;
  key.models = spec.models;
  key.requests_per_minute = spec.requests_per_minute;
  key.tokens_per_minute = spec.tokens_per_minute;
  key.concurrency = spec.concurrency;
  key.priority = spec.priority;
  key.data_class = spec.data_class;
  key.deadline = spec.deadline;
  key.service_level = spec.service_level;
  key.goal = spec.goal;
  key.budget = spec.budget;
  return key;
}

bool has_living(const std::vector<ApiKey>& keys, std::string_view name) {
  return std::any_of(keys.begin(), keys.end(),
                     [name](const ApiKey& key) { return !key.revoked && key.name == name; });
}

// False: all are living.
bool make_room(std::vector<ApiKey>& keys) {
  if (keys.size() < kKeysMax) return true;
  auto oldest = keys.end();
  for (auto at = keys.begin(); at != keys.end(); ++at) {
    if (at->revoked && (oldest == keys.end() || at->revoked_at < oldest->revoked_at)) oldest = at;
  }
  if (oldest == keys.end()) return false;
  keys.erase(oldest);
  return true;
}

}  // namespace

KeyStore::KeyStore(KeyStorePorts ports, std::string path) : ports_(ports), path_(std::move(path)) {}

Result<std::vector<ApiKey>> KeyStore::read() const {
  Result<std::string> text = ports_.files.read(path_, kKeyFileMax);
  if (!text && text.error().kind == ErrorKind::gone) return std::vector<ApiKey>();
  if (!text) return text.error();
  Result<std::vector<ApiKey>> keys = read_key_file(*text);
  if (keys) return keys;
  return Error{ErrorKind::broken, "identity",
               fmt::format("{}: {}; put a good copy back, or remove the file, which ends all keys",
                           path_, keys.error().text)};
}

Result<void> KeyStore::load() {
  Result<std::vector<ApiKey>> keys = read();
  if (!keys) return keys.error();
  know(*std::move(keys));
  return {};
}

void KeyStore::know(std::vector<ApiKey> keys) {
  keys_ = std::move(keys);
  living_.clear();
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (!keys_[i].revoked) living_.emplace(keys_[i].hash, i);
  }
}

Result<void> KeyStore::replace(std::vector<ApiKey> keys) {
  const std::string text = write_key_file(keys);
  if (static_cast<int64_t>(text.size()) > kKeyFileMax.count) {
    return refused(fmt::format("{} would grow beyond {} bytes; give keys shorter lists of models",
                               path_, kKeyFileMax.count));
  }
  if (Result<void> written = ports_.files.replace(path_, text); !written) return written;
  know(std::move(keys));
  return {};
}

const ApiKey* KeyStore::find(std::string_view secret) const {
  const auto found = living_.find(ports::sha256_hex(secret));
  return found == living_.end() ? nullptr : &keys_[found->second];
}

Result<std::string> KeyStore::new_id(const std::vector<ApiKey>& keys) {
  for (int i = 0; i < kIdTriesMax; ++i) {
    std::string id = make_key_id(ports_.secrets);
    const bool taken =
        std::any_of(keys.begin(), keys.end(), [&id](const ApiKey& key) { return key.id == id; });
    if (!taken) return id;
  }
  return Error{ErrorKind::busy, "identity", "no free id for a key was found; try again"};
}

Result<NewKey> KeyStore::add(const KeySpec& spec) {
  if (Result<void> good = check_key_spec(spec); !good) return good.error();
  const auto lock = ports_.files.lock(path_ + ".lock");
  if (!lock) return lock.error();
  Result<std::vector<ApiKey>> keys = read();
  if (!keys) return keys.error();
  if (has_living(*keys, spec.name)) {
    return refused(fmt::format("a key named \"{}\" exists; choose another name or revoke it first",
                               spec.name));
  }
  if (!make_room(*keys)) {
    return refused(
        fmt::format("there are {} keys, which is the limit; revoke one first", kKeysMax));
  }
  Result<std::string> id = new_id(*keys);
  if (!id) return id.error();
  NewKey made{key_from(spec), make_key_secret(ports_.secrets)};
  made.key.id = *std::move(id);
  made.key.hash = ports::sha256_hex(made.secret);
  made.key.created = ports_.calendar.now();
  keys->push_back(made.key);
  if (Result<void> written = replace(*std::move(keys)); !written) return written.error();
  return made;
}

Result<ApiKey> KeyStore::revoke(std::string_view id_or_name) {
  const auto lock = ports_.files.lock(path_ + ".lock");
  if (!lock) return lock.error();
  Result<std::vector<ApiKey>> keys = read();
  if (!keys) return keys.error();
  const auto found = std::find_if(keys->begin(), keys->end(), [id_or_name](const ApiKey& key) {
    return !key.revoked && (key.id == id_or_name || key.name == id_or_name);
  });
  if (found == keys->end()) {
    // What was typed may be a secret: it is not repeated.
    return Error{ErrorKind::gone, "identity", "no living key has this id or name; see the list"};
  }
  found->revoked = true;
  found->revoked_at = ports_.calendar.now();
  ApiKey revoked = *found;
  if (Result<void> written = replace(*std::move(keys)); !written) return written.error();
  return revoked;
}

}  // namespace sluice::identity
