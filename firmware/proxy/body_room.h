// How much room request bodies take at present, in memory and on disk, and the bounds of it: in all
// and per key. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "firmware/base/units.h"

namespace sluice::proxy {

struct BodyBounds {
  Bytes body_max{100 * 1024 * 1024};              // one body
  Bytes memory_per_body_max{1024 * 1024};         // what is more goes to a scratch file, whole
  Bytes memory_max{128 * 1024 * 1024};            // of all bodies; then even small ones go to disk
  Bytes per_key_max{int64_t{512} * 1024 * 1024};  // kept for one key, wherever
  Bytes total_max{int64_t{1024} * 1024 * 1024};   // kept for all, wherever
};

class BodyRoom {
 public:
  enum class Answer { granted, key_is_full, all_is_full };

  void set_bounds(const BodyBounds& bounds) { bounds_ = bounds; }
  const BodyBounds& bounds() const { return bounds_; }

  Answer take(const std::string& key, size_t size);
  void give_back(const std::string& key, size_t size);
  bool take_memory(size_t size);  // false: it belongs on disk
  void give_back_memory(size_t size);

  Bytes kept() const { return total_; }
  Bytes in_memory() const { return memory_; }

 private:
  BodyBounds bounds_;
  Bytes total_{0};
  Bytes memory_{0};
  std::map<std::string, Bytes> per_key_;  // those with a body
};

}  // namespace sluice::proxy
