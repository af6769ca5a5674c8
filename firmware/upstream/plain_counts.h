// The members of a JSON object that holds counts, as `usage` objects do, read without building a
// tree: whole numbers, true, false, null, and objects of these, one level deep. Anything else
// (strings, lists, fractions, a key twice, more than kMembersMax) is not plain: the caller reads it
// another way.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::upstream {

class PlainCounts {
 public:
  static constexpr size_t kMembersMax = 32;
  static constexpr size_t kDigitsMax = 15;

  // Nothing if `object` is not plain. The views in it are those of `object`.
  static std::optional<PlainCounts> read(std::string_view object);

  bool has_number(std::string_view key) const { return find({}, key) != nullptr; }
  int64_t integer(std::string_view key) const { return integer_in({}, key); }
  int64_t integer_in(std::string_view outer, std::string_view key) const;

 private:
  struct Member {
    std::string_view outer;  // the key of the object it stands in; empty: the outermost
    std::string_view key;
    int64_t number = 0;
    bool is_number = false;
  };

  PlainCounts() = default;
  bool read_object(std::string_view outer, bool inside);
  bool read_member(std::string_view outer, bool inside);
  bool read_value(Member& member, bool inside);
  bool read_number(Member& member);
  bool take(char wanted);
  bool take_word(std::string_view word);
  std::optional<std::string_view> read_key();
  const Member* find(std::string_view outer, std::string_view key) const;

  std::string_view rest_;
  std::array<Member, kMembersMax> members_;
  size_t count_ = 0;
};

}  // namespace sluice::upstream
