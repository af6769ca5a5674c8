// JSON read strictly, with the place of what is wrong: "pops[0].hosts: it must be ...". What stood
// there is never quoted: it may be a secret.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/ports/json.h"
#include "firmware/ports/wireguard.h"

namespace sluice::tunnel {

enum class Needed { yes, no };

// The first error of one document, shared by the places of it.
struct JsonFault {
  std::string text;
  bool any() const { return !text.empty(); }
};

// One object. After the first fault everything reads as empty.
class JsonPlace {
 public:
  JsonPlace(const ports::JsonValue& object, std::string name, JsonFault& fault);

  std::string text(std::string_view name, size_t max, Needed needed = Needed::yes);
  // 1 to kNameTextMax bytes without control characters and '/'.
  std::string word(std::string_view name, Needed needed = Needed::yes);
  std::string hex16(std::string_view name, Needed needed = Needed::yes);
  int64_t whole(std::string_view name, int64_t min, int64_t max, Needed needed = Needed::yes);
  std::optional<ports::WgKey> key(std::string_view name, Needed needed = Needed::yes);
  std::optional<IpAddress> address4(std::string_view name, Needed needed = Needed::yes);
  std::vector<IpPrefix> prefixes4(std::string_view name, size_t max);
  std::vector<std::string> texts(std::string_view name, size_t count_max, size_t each_max);
  // The objects of a list, at most `max`.
  std::vector<JsonPlace> objects(std::string_view name, size_t max);
  std::optional<JsonPlace> object(std::string_view name, Needed needed = Needed::yes);

  void fail(std::string_view name, std::string_view expected);
  void no_others();  // a member that nothing asked for is a fault

 private:
  const ports::JsonValue* member(std::string_view name, Needed needed);

  const ports::JsonValue* object_;
  std::string name_;
  JsonFault* fault_;
  std::set<std::string, std::less<>> known_;
};

bool is_word(std::string_view text);
bool is_hex16(std::string_view text);

}  // namespace sluice::tunnel
