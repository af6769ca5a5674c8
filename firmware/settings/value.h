// One setting's value as the table sees it: how to read it from the file, how to show it again,
// and what it may be.
// Lifetime: a Value refers to the field it was made from; use it during the visit only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/config.h"
#include "firmware/settings/settings.h"
#include "firmware/settings/text_rules.h"

namespace sluice::settings {

inline constexpr size_t kListItemsMax = 1000;

struct Fault {
  const ports::ConfigNode* at = nullptr;
  std::string below;  // what follows the key: "", "[2]", ".USD"
  std::string text;   // "<what is wrong>; <what to write>"
};
using Faults = std::vector<Fault>;

struct Value {
  enum class Kind { boolean, whole, number, text, choice, texts, choices, rates };
  Kind kind = Kind::text;
  std::string_view unit = {};  // "milliseconds", "bytes"; empty if none
  double least = 0;            // whole and number only
  double most = 0;
  std::vector<std::string_view> choices = {};  // choice and choices only
  std::string allowed_en = {};
  std::string allowed_zh = {};
  // Sets the field, or adds faults and leaves it as it was.
  std::function<void(const ports::ConfigNode&, Faults&)> take = {};
  std::function<ports::ConfigNode()> show = {};
};

Value boolean(bool& field);
Value whole(int64_t& field, int64_t least, int64_t most);
Value percent(int64_t& field, int64_t least, int64_t most);
Value milliseconds(Duration& field, int64_t least, int64_t most);
Value bytes(Bytes& field, int64_t least, int64_t most);
Value tokens(Tokens& field, int64_t least, int64_t most);
Value number(double& field, double least, double most);
Value money(Money& field, double most);  // >= 0
Value text(std::string& field, const TextRule& rule);
Value texts(std::vector<std::string>& field, const TextRule& rule);
Value address_or_off(std::optional<ports::Address>& field);
Value loopback_or_off(std::optional<ports::Address>& field);  // who checks it: cross_checks
Value currency(Currency& field);
Value currency(std::optional<Currency>& field);
Value rates(std::map<Currency, double>& field);

// Parts of choice and choices.
Value choice_of(std::vector<std::string_view> words,
                std::function<void(std::string_view)> set,  // one of `words`
                std::function<std::string_view()> get);
Value choices_of(std::vector<std::string_view> words,
                 std::function<void(const std::vector<std::string>&)> set,
                 std::function<std::vector<std::string>()> get, bool may_be_empty = false);

template <class Enum>
std::vector<std::string_view> words_of() {
  std::vector<std::string_view> words;
  for (Enum value : all_of(Enum{})) words.emplace_back(to_text(value));
  return words;
}

template <class Enum>
Value choice(Enum& field) {
  return choice_of(
      words_of<Enum>(), [&field](std::string_view word) { field = *from_text<Enum>(word); },
      [&field] { return std::string_view(to_text(field)); });
}

template <class Enum>
Value choices(std::vector<Enum>& field, bool may_be_empty = false) {
  return choices_of(
      words_of<Enum>(),
      [&field](const std::vector<std::string>& words) {
        field.clear();
        for (const std::string& word : words) field.push_back(*from_text<Enum>(word));
      },
      [&field] {
        std::vector<std::string> words;
        for (Enum value : field) words.emplace_back(to_text(value));
        return words;
      },
      may_be_empty);
}

}  // namespace sluice::settings
