#include "firmware/identity/key_commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"
#include "firmware/identity/key_fields.h"
#include "firmware/identity/key_secret.h"
#include "firmware/identity/key_view.h"

namespace sluice::identity {

namespace {

constexpr const char* kGoalWords = "cost, balanced, fast, green or home-first";

Error refused(std::string text) { return {ErrorKind::refused, "identity", std::move(text)}; }

bool is_line(std::string_view text, size_t size_max) {
  return !text.empty() && text.size() <= size_max && trim(text).size() == text.size() &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool in_range(int64_t value, int64_t max) { return value >= 0 && value <= max; }

}  // namespace

Result<void> check_key_spec(const KeySpec& spec) {
  if (!is_line(spec.name, kKeyNameMax)) {
    return refused(
        fmt::format("\"name\" must be 1 to {} bytes of text without control characters "
                    "or blanks at its ends",
                    kKeyNameMax));
  }
  if (is_key_id(spec.name)) {
    return refused("\"name\" looks like the id of a key (k and 8 digits); choose another");
  }
  if (looks_like_secret(spec.name)) {
    return refused("\"name\" begins like a secret; choose another");
  }
  const bool models_good =
      spec.models.size() <= kKeyModelsMax &&
      std::all_of(spec.models.begin(), spec.models.end(),
                  [](const std::string& model) { return is_line(model, kKeyModelNameMax); });
  if (!models_good) {
    return refused(fmt::format("\"models\" must be at most {} names of 1 to {} bytes",
                               kKeyModelsMax, kKeyModelNameMax));
  }
  if (!in_range(spec.requests_per_minute, kKeyRateMax) ||
      !in_range(spec.tokens_per_minute, kKeyRateMax)) {
    return refused(fmt::format("limits per minute must be from 0 (none) to {}", kKeyRateMax));
  }
  if (!in_range(spec.concurrency, kKeyConcurrencyMax)) {
    return refused(
        fmt::format("\"concurrency\" must be from 0 (no limit) to {}", kKeyConcurrencyMax));
  }
  if (!in_range(spec.deadline.as_us(), kKeyDeadlineMsMax * 1000)) {
    return refused(
        fmt::format("\"deadline_ms\" must be from 0 (the box's own) to {}", kKeyDeadlineMsMax));
  }
  if (!in_range(spec.budget.nano, kKeyBudgetMax.nano)) {
    return refused(
        fmt::format("\"budget_per_month\" must be from 0 (no limit) to {}", kKeyBudgetMax.units()));
  }
  if (!is_line(spec.service_level, kKeyNameMax)) {
    return refused("\"service_level\" must be the name of a service level");
  }
  return {};
}

Result<KeySpec> parse_key_spec(const ports::JsonValue& json) {
  KeySpec spec;
  int64_t concurrency = 0;
  int64_t deadline_ms = 0;
  JsonFields fields(json);
  fields.text("name", &spec.name);
  fields.texts("models", kKeyModelsMax, &spec.models);
  fields.whole("requests_per_minute", 0, kKeyRateMax, &spec.requests_per_minute);
  fields.whole("tokens_per_minute", 0, kKeyRateMax, &spec.tokens_per_minute);
  fields.whole("concurrency", 0, kKeyConcurrencyMax, &concurrency);
  fields.word("priority", priority_from_text, "low, normal or high", &spec.priority);
  fields.word("data_class", data_class_from_text, "open, internal or home-only", &spec.data_class);
  fields.whole("deadline_ms", 0, kKeyDeadlineMsMax, &deadline_ms);
  fields.text("service_level", &spec.service_level);
  fields.word("goal", goal_from_text, kGoalWords, &spec.goal);
  fields.amount("budget_per_month", kKeyBudgetMax, &spec.budget);
  if (Result<void> read = fields.finish(); !read) return read.error();
  spec.concurrency = static_cast<int>(concurrency);
  spec.deadline = Duration::ms(deadline_ms);
  if (Result<void> good = check_key_spec(spec); !good) return good.error();
  return spec;
}

ports::JsonValue key_as_json(const ApiKey& key) {
  ports::JsonValue models = ports::JsonValue::array();
  for (const std::string& model : key.models) models.push(model);
  ports::JsonValue json = ports::JsonValue::object({
      {"id", key.id},
      {"name", key.name},
      {"models", std::move(models)},
      {"requests_per_minute", key.requests_per_minute},
      {"tokens_per_minute", key.tokens_per_minute},
      {"concurrency", key.concurrency},
      {"priority", to_text(key.priority)},
      {"data_class", to_text(key.data_class)},
      {"deadline_ms", key.deadline.as_ms()},
      {"service_level", key.service_level},
      {"goal", key.goal ? ports::JsonValue(to_text(*key.goal)) : ports::JsonValue()},
      {"budget_per_month", key.budget.units()},
      {"created", to_rfc3339(key.created.as_us())},
      {"revoked", key.revoked},
  });
  if (key.revoked) json.add("revoked_at", to_rfc3339(key.revoked_at.as_us()));
  return json;
}

}  // namespace sluice::identity
