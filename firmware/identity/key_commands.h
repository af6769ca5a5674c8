// What a person may do with API keys, on the page and the command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/identity/api_key.h"
#include "firmware/ports/json.h"

namespace sluice::identity {

inline constexpr size_t kKeyNameMax = 64;    // bytes
inline constexpr size_t kKeyModelsMax = 64;  // of one key
inline constexpr size_t kKeyModelNameMax = 256;
inline constexpr int64_t kKeyRateMax = 1'000'000'000'000;
inline constexpr int64_t kKeyConcurrencyMax = 1'000'000;
inline constexpr Money kKeyBudgetMax{1'000'000'000'000'000'000};  // 1e9 units
inline constexpr int64_t kKeyDeadlineMsMax = 24 * 3600 * 1000;

// A key as it is wished for: the fields of ApiKey of the same names.
struct KeySpec {
  std::string name;
  std::vector<std::string> models;
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int concurrency = 0;
  KeyPriority priority = KeyPriority::normal;
  DataClass data_class = DataClass::internal;
  Duration deadline;
  std::string service_level = "default";
  std::optional<KeyGoal> goal;
  Money budget;
};

struct NewKey {
  ApiKey key;
  std::string secret;  // shown once, to the person who asked for it; never logged
};

class KeyCommands {
 public:
  virtual ~KeyCommands() = default;
  // Errors: refused (a field is wrong, the name is taken, too many keys), busy (another program
  // changes the keys), and those of the file. After an error nothing has changed.
  virtual Result<NewKey> add(const KeySpec& spec) = 0;
  virtual Result<ApiKey> revoke(std::string_view id_or_name) = 0;  // gone: no such living key
  virtual std::vector<ApiKey> list() const = 0;                    // in the order of making
};

// An object with the members of KeySpec; deadline as "deadline_ms",
// budget as "budget_per_month"; only "name" is needed.
// Errors: refused, with the member and what to write.
Result<KeySpec> parse_key_spec(const ports::JsonValue& json);
Result<void> check_key_spec(const KeySpec& spec);  // lengths and ranges; refused

// For people: everything but the hash; dates as RFC 3339.
ports::JsonValue key_as_json(const ApiKey& key);

}  // namespace sluice::identity
