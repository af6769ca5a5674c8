// JSON objects read member by member, strictly: a member of the wrong type or out of its range is
// an error, and so is one that nobody asked for.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/ports/json.h"

namespace sluice::identity {

class JsonFields {
 public:
  explicit JsonFields(const ports::JsonValue& object);

  // Each leaves *out as it was if the member is absent or null. After the first error nothing is
  // read any more.
  void text(std::string_view name, std::string* out);
  void texts(std::string_view name, size_t count_max, std::vector<std::string>* out);
  void whole(std::string_view name, int64_t min, int64_t max, int64_t* out);
  // An amount of money: in units, with a fraction.
  void amount(std::string_view name, Money max, Money* out);
  void flag(std::string_view name, bool* out);
  template <class Word, class FromText>
  void word(std::string_view name, FromText from_text, const char* choices, Word* out);

  void fail(std::string_view name, std::string_view expected);
  // Errors: refused: the first that was found, or a member that none of the calls named.
  Result<void> finish() const;

 private:
  const ports::JsonValue* member(std::string_view name);

  const ports::JsonValue& object_;
  std::set<std::string, std::less<>> known_;
  std::string error_;
};

template <class Word, class FromText>
void JsonFields::word(std::string_view name, FromText from_text, const char* choices, Word* out) {
  std::string wanted;
  text(name, &wanted);
  if (wanted.empty()) return;
  const auto found = from_text(wanted);
  if (!found) return fail(name, choices);
  *out = *found;
}

}  // namespace sluice::identity
