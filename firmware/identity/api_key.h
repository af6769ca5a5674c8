// An API key: what it may do. The secret itself is never kept: only its SHA-256 (a secret is 256
// random bits, so a plain hash cannot be guessed from).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::identity {

enum class KeyPriority { low, normal, high };
enum class DataClass { open, internal, home_only };  // rising strictness

// What is wanted of the choice among nodes; the valve's score.h weighs them.
enum class KeyGoal { cost, balanced, fast, green, home_first };

const char* to_text(KeyPriority priority);  // "low" ...
const char* to_text(DataClass data_class);  // "open", "internal", "home-only"
const char* to_text(KeyGoal goal);          // "cost", "balanced", "fast", "green", "home-first"
std::optional<KeyPriority> priority_from_text(std::string_view text);
std::optional<DataClass> data_class_from_text(std::string_view text);
std::optional<KeyGoal> goal_from_text(std::string_view text);

struct ApiKey {
  std::string id;                   // short, unique, safe to show: "k1f3a9c2"
  std::string name;                 // given by a person, unique among living keys
  std::string hash;                 // sha256_hex of the secret
  std::vector<std::string> models;  // empty: all
  int64_t requests_per_minute = 0;  // 0 = no limit, here and below
  int64_t tokens_per_minute = 0;
  int concurrency = 0;
  KeyPriority priority = KeyPriority::normal;
  DataClass data_class = DataClass::internal;
  Duration deadline;  // for the first byte; zero = the box's
  std::string service_level = "default";
  std::optional<KeyGoal> goal;  // none: the box's
  Money budget;                 // box currency, for a month (UTC); zero = no limit
  Date created;
  bool revoked = false;  // stays in the list, for those who read old usage
  Date revoked_at;

  bool may_use_model(std::string_view model) const;
};

}  // namespace sluice::identity
