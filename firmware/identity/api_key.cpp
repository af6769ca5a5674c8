#include "firmware/identity/api_key.h"

#include <algorithm>

namespace sluice::identity {

const char* to_text(KeyPriority priority) {
  switch (priority) {
    case KeyPriority::low:
      return "low";
    case KeyPriority::normal:
      return "normal";
    case KeyPriority::high:
      return "high";
  }
  return "unknown";
}

const char* to_text(DataClass data_class) {
  switch (data_class) {
    case DataClass::open:
      return "open";
    case DataClass::internal:
      return "internal";
    case DataClass::home_only:
      return "home-only";
  }
  return "unknown";
}

const char* to_text(KeyGoal goal) {
  switch (goal) {
    case KeyGoal::cost:
      return "cost";
    case KeyGoal::balanced:
      return "balanced";
    case KeyGoal::fast:
      return "fast";
    case KeyGoal::green:
      return "green";
    case KeyGoal::home_first:
      return "home-first";
  }
  return "unknown";
}

std::optional<KeyPriority> priority_from_text(std::string_view text) {
  for (KeyPriority priority : {KeyPriority::low, KeyPriority::normal, KeyPriority::high}) {
    if (text == to_text(priority)) return priority;
  }
  return std::nullopt;
}

std::optional<DataClass> data_class_from_text(std::string_view text) {
  for (DataClass one : {DataClass::open, DataClass::internal, DataClass::home_only}) {
    if (text == to_text(one)) return one;
  }
  return std::nullopt;
}

std::optional<KeyGoal> goal_from_text(std::string_view text) {
  for (KeyGoal goal :
       {KeyGoal::cost, KeyGoal::balanced, KeyGoal::fast, KeyGoal::green, KeyGoal::home_first}) {
    if (text == to_text(goal)) return goal;
  }
  return std::nullopt;
}

bool ApiKey::may_use_model(std::string_view model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

}  // namespace sluice::identity
