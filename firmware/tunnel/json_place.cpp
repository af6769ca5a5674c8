#include "firmware/tunnel/json_place.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/tunnel/membership.h"

namespace sluice::tunnel {

namespace {
constexpr size_t kNameShown = 64;  // bytes of an unknown member's name in an error
constexpr std::string_view kWordForm = "1 to 64 bytes of text without '/' and control characters";
}  // namespace

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kNameTextMax &&
         std::none_of(text.begin(), text.end(), [](char c) {
           return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

bool is_hex16(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

JsonPlace::JsonPlace(const ports::JsonValue& object, std::string name, JsonFault& fault)
    : object_(&object), name_(std::move(name)), fault_(&fault) {
  if (object.as_object() == nullptr) fail("", "a JSON object");
}

void JsonPlace::fail(std::string_view name, std::string_view expected) {
  if (fault_->any()) return;
  std::string place = name_;
  if (!place.empty() && !name.empty()) place += '.';
  place += name;
  fault_->text = fmt::format("{} must be {}", place.empty() ? "the document" : place, expected);
}

const ports::JsonValue* JsonPlace::member(std::string_view name, Needed needed) {
  known_.emplace(name);
  if (fault_->any()) return nullptr;
  const ports::JsonValue* found = object_->find(name);
  if (found != nullptr && !found->is_null()) return found;
  if (needed == Needed::yes) fail(name, "there");
  return nullptr;
}

std::string JsonPlace::text(std::string_view name, size_t max, Needed needed) {
  const ports::JsonValue* value = member(name, needed);
  if (value == nullptr) return {};
  const std::string* found = value->as_text();
  const bool wrong = found == nullptr || found->size() > max ||
                     (needed == Needed::yes && found->empty()) ||
                     std::any_of(found->begin(), found->end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (wrong) {
    fail(name, fmt::format("a text of at most {} bytes without control characters", max));
    return {};
  }
  return *found;
}

std::string JsonPlace::word(std::string_view name, Needed needed) {
  std::string found = text(name, kNameTextMax, needed);
  if (fault_->any() || (found.empty() && needed == Needed::no)) return {};
  if (!is_word(found)) fail(name, kWordForm);
  return found;
}

std::string JsonPlace::hex16(std::string_view name, Needed needed) {
  std::string found = text(name, 16, needed);
  if (fault_->any() || (found.empty() && needed == Needed::no)) return {};
  if (!is_hex16(found)) fail(name, "16 small hexadecimal digits");
  return found;
}

int64_t JsonPlace::whole(std::string_view name, int64_t min, int64_t max, Needed needed) {
  const ports::JsonValue* value = member(name, needed);
  if (value == nullptr) return needed == Needed::no ? 0 : min;
  const int64_t* found = value->as_integer();
  if (found == nullptr || *found < min || *found > max) {
    fail(name, fmt::format("a whole number from {} to {}", min, max));
    return min;
  }
  return *found;
}

std::optional<ports::WgKey> JsonPlace::key(std::string_view name, Needed needed) {
  const std::string found = text(name, 64, needed);
  if (fault_->any() || (found.empty() && needed == Needed::no)) return {};
  auto key = ports::parse_wg_key(found);
  if (!key) fail(name, "32 bytes in base64, as wg(8) writes keys");
  return key;
}

std::optional<IpAddress> JsonPlace::address4(std::string_view name, Needed needed) {
  const std::string found = text(name, 64, needed);
  if (fault_->any() || (found.empty() && needed == Needed::no)) return {};
  auto address = IpAddress::parse(found);
  if (address && address->family == IpAddress::Family::v4) return address;
  fail(name, "an IPv4 address");
  return {};
}

std::vector<std::string> JsonPlace::texts(std::string_view name, size_t count_max,
                                          size_t each_max) {
  const ports::JsonValue* value = member(name, Needed::yes);
  if (value == nullptr) return {};
  const std::string expected =
      fmt::format("a list of at most {} texts of 1 to {} bytes", count_max, each_max);
  const auto* items = value->as_array();
  std::vector<std::string> out;
  if (items == nullptr || items->size() > count_max) return fail(name, expected), out;
  for (const ports::JsonValue& item : *items) {
    const std::string* found = item.as_text();
    const bool fits = found != nullptr && !found->empty() && found->size() <= each_max;
    if (!fits) return fail(name, expected), std::vector<std::string>();
    out.push_back(*found);
  }
  return out;
}

std::vector<IpPrefix> JsonPlace::prefixes4(std::string_view name, size_t max) {
  std::vector<IpPrefix> out;
  for (const std::string& one : texts(name, max, 64)) {
    const auto prefix = IpPrefix::parse(one);
    if (!prefix || prefix->address.family != IpAddress::Family::v4) {
      fail(name, "IPv4 networks as 10.0.0.0/8");
      return {};
    }
    out.push_back(prefix->network());
  }
  return out;
}

std::vector<JsonPlace> JsonPlace::objects(std::string_view name, size_t max) {
  std::vector<JsonPlace> out;
  const ports::JsonValue* value = member(name, Needed::yes);
  if (value == nullptr) return out;
  const auto* items = value->as_array();
  if (items == nullptr || items->size() > max) {
    fail(name, fmt::format("a list of at most {} objects", max));
    return out;
  }
  for (size_t i = 0; i < items->size() && !fault_->any(); ++i) {
    const std::string before = name_.empty() ? "" : name_ + ".";
    out.emplace_back((*items)[i], fmt::format("{}{}[{}]", before, name, i), *fault_);
  }
  return out;
}

std::optional<JsonPlace> JsonPlace::object(std::string_view name, Needed needed) {
  const ports::JsonValue* value = member(name, needed);
  if (value == nullptr) return {};
  const std::string before = name_.empty() ? "" : name_ + ".";
  JsonPlace out(*value, before + std::string(name), *fault_);
  if (fault_->any()) return {};
  return out;
}

void JsonPlace::no_others() {
  if (fault_->any()) return;
  for (const auto& [name, value] : *object_->as_object()) {
    if (known_.count(name) == 0) return fail(name.substr(0, kNameShown), "left out: it is unknown");
  }
}

}  // namespace sluice::tunnel
