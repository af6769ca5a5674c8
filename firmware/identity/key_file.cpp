#include "firmware/identity/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "firmware/identity/key_commands.h"
#include "firmware/identity/key_fields.h"
#include "firmware/identity/key_secret.h"
#include "firmware/ports/json.h"

namespace sluice::identity {

namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kHashSize = 64;
constexpr int64_t kDateMax = std::numeric_limits<int64_t>::max();

Error broken(std::string text) { return {ErrorKind::broken, "identity", std::move(text)}; }

bool is_hash(std::string_view text) {
  return text.size() == kHashSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

ports::JsonValue to_member(const ApiKey& key) {
  ports::JsonValue models = ports::JsonValue::array();
  for (const std::string& model : key.models) models.push(model);
  ports::JsonValue json = ports::JsonValue::object({
      {"id", key.id},
      {"name", key.name},
      {"hash", key.hash},
      {"models", std::move(models)},
      {"requests_per_minute", key.requests_per_minute},
      {"tokens_per_minute", key.tokens_per_minute},
      {"concurrency", key.concurrency},
      {"priority", to_text(key.priority)},
      {"data_class", to_text(key.data_class)},
      {"deadline_ms", key.deadline.as_ms()},
      {"service_level", key.service_level},
      {"created_us", key.created.as_us()},
      {"revoked", key.revoked},
  });
  if (key.goal) json.add("goal", to_text(*key.goal));
  if (key.budget.nano > 0) json.add("budget_nano", key.budget.nano);
  if (key.revoked) json.add("revoked_us", key.revoked_at.as_us());
  return json;
}

Result<ApiKey> read_member(const ports::JsonValue& json) {
  ApiKey key;
  int64_t concurrency = 0;
  int64_t deadline_ms = 0;
  int64_t created_us = 0;
  int64_t revoked_us = 0;
  JsonFields fields(json);
  fields.text("id", &key.id);
  fields.text("name", &key.name);
  fields.text("hash", &key.hash);
  fields.texts("models", kKeyModelsMax, &key.models);
  fields.whole("requests_per_minute", 0, kKeyRateMax, &key.requests_per_minute);
  fields.whole("tokens_per_minute", 0, kKeyRateMax, &key.tokens_per_minute);
  fields.whole("concurrency", 0, kKeyConcurrencyMax, &concurrency);
  fields.word("priority", priority_from_text, "low, normal or high", &key.priority);
  fields.word("data_class", data_class_from_text, "open, internal or home-only", &key.data_class);
  fields.whole("deadline_ms", 0, kKeyDeadlineMsMax, &deadline_ms);
  fields.text("service_level", &key.service_level);
  fields.word("goal", goal_from_text, "one that is known", &key.goal);
  fields.whole("budget_nano", 0, kKeyBudgetMax.nano, &key.budget.nano);
  fields.whole("created_us", 0, kDateMax, &created_us);
  fields.flag("revoked", &key.revoked);
  fields.whole("revoked_us", 0, kDateMax, &revoked_us);
  // A limit that went missing must not become "no limit", nor a revoked key a living one.
  for (std::string_view needed : {"id", "name", "hash", "models", "requests_per_minute",
                                  "tokens_per_minute", "concurrency", "data_class", "revoked"}) {
    const ports::JsonValue* found = json.find(needed);
    if (found == nullptr || found->is_null()) fields.fail(needed, "there");
  }
  if (!is_key_id(key.id)) fields.fail("id", "k and 8 hexadecimal digits");
  if (!is_hash(key.hash)) fields.fail("hash", "64 hexadecimal digits");
  if (key.name.empty()) fields.fail("name", "a text");
  if (Result<void> read = fields.finish(); !read) return read.error();
  key.concurrency = static_cast<int>(concurrency);
  key.deadline = Duration::ms(deadline_ms);
  key.created = Date::from_us(created_us);
  key.revoked_at = Date::from_us(revoked_us);
  return key;
}

// Ids of all keys, names and hashes of the living ones.
Result<void> check_unique(const std::vector<ApiKey>& keys) {
  std::set<std::string_view> ids;
  std::set<std::string_view> names;
  std::set<std::string_view> hashes;
  for (const ApiKey& key : keys) {
    if (!ids.insert(key.id).second) return broken(fmt::format("two keys have the id {}", key.id));
    if (key.revoked) continue;
    if (!names.insert(key.name).second || !hashes.insert(key.hash).second) {
      return broken(fmt::format("the key {} has the name or hash of another one", key.id));
    }
  }
  return {};
}

}  // namespace

std::string write_key_file(const std::vector<ApiKey>& keys) {
  std::string text = fmt::format("{{\"version\":{},\"keys\":[", kVersion);
  for (const ApiKey& key : keys) {
    text += &key == keys.data() ? "\n" : ",\n";
    text += ports::to_json(to_member(key));
  }
  return text + "\n]}\n";
}

Result<std::vector<ApiKey>> read_key_file(std::string_view text) {
  Result<ports::JsonValue> json = ports::parse_json(text);
  if (!json) return broken(json.error().text);
  if (json->integer("version") != kVersion) {
    return broken(fmt::format("its \"version\" is not {}; it may be of another release", kVersion));
  }
  const ports::JsonValue* list = json->find("keys");
  if (list == nullptr || list->as_array() == nullptr) return broken("it has no list \"keys\"");
  if (list->as_array()->size() > kKeysMax) {
    return broken(fmt::format("it has more than {} keys", kKeysMax));
  }
  std::vector<ApiKey> keys;
  for (const ports::JsonValue& member : *list->as_array()) {
    Result<ApiKey> key = read_member(member);
    if (!key) return broken(fmt::format("key {}: {}", keys.size() + 1, key.error().text));
    keys.push_back(*std::move(key));
  }
  if (Result<void> unique = check_unique(keys); !unique) return unique.error();
  return keys;
}

}  // namespace sluice::identity
