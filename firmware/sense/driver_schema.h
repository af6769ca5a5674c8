// The words of a driver file, read strictly: an unknown key or a wrong value is a fault that names
// its line and says what to write. The first fault is kept; what is read after it means nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/ports/config.h"

namespace sluice::sense {

// Lifetime: the file's name is valid while this is used.
class DriverSchema {
 public:
  explicit DriverSchema(std::string_view file) : file_(file) {}

  // A map with no other keys than these.
  bool known(const ports::ConfigNode& node, const std::vector<std::string_view>& keys);
  // Nothing if the key is not there; a value of the wrong form is a fault.
  std::optional<std::string> text(const ports::ConfigNode& map, std::string_view key);
  std::string name(const ports::ConfigNode& map, std::string_view key);  // needed; no blanks
  std::optional<std::string> path(const ports::ConfigNode& map, std::string_view key);
  std::vector<std::string> texts(const ports::ConfigNode& map, std::string_view key);
  std::vector<std::string> names(const ports::ConfigNode& map, std::string_view key);
  bool flag(const ports::ConfigNode& map, std::string_view key);
  std::optional<int64_t> integer(const ports::ConfigNode& map, std::string_view key, int64_t least,
                                 int64_t most);
  std::optional<double> number(const ports::ConfigNode& at, std::string_view word);
  // The items of a list with 1 to `most` of them; empty if the key is not there.
  std::span<const ports::ConfigNode> items(const ports::ConfigNode& map, std::string_view key,
                                           size_t most);
  // The position of `word` among `words`.
  std::optional<size_t> one_of(const ports::ConfigNode& at, std::string_view word,
                               std::span<const std::string_view> words);
  bool is_path(std::string_view text) const;

  void fail(const ports::ConfigNode& at, std::string_view text);
  const std::optional<Error>& fault() const { return fault_; }

 private:
  std::string_view file_;
  std::optional<Error> fault_;
};

}  // namespace sluice::sense
