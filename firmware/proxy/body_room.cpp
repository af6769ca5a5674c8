#include "firmware/proxy/body_room.h"

#include "firmware/base/check.h"

namespace sluice::proxy {

BodyRoom::Answer BodyRoom::take(const std::string& key, size_t size) {
  const auto more = static_cast<int64_t>(size);
  if (total_.count + more > bounds_.total_max.count) return Answer::all_is_full;
  Bytes& of_key = per_key_[key];
  if (of_key.count + more > bounds_.per_key_max.count) {
    if (of_key.count == 0) per_key_.erase(key);
    return Answer::key_is_full;
  }
  of_key.count += more;
  total_.count += more;
  return Answer::granted;
}

void BodyRoom::give_back(const std::string& key, size_t size) {
  if (size == 0) return;
  const auto found = per_key_.find(key);
  ENSURE(found != per_key_.end());
  const auto less = static_cast<int64_t>(size);
  found->second.count -= less;
  total_.count -= less;
  ENSURE(found->second.count >= 0 && total_.count >= 0);
  if (found->second.count == 0) per_key_.erase(found);
}

bool BodyRoom::take_memory(size_t size) {
  const auto more = static_cast<int64_t>(size);
  if (memory_.count + more > bounds_.memory_max.count) return false;
  memory_.count += more;
  return true;
}

void BodyRoom::give_back_memory(size_t size) {
  memory_.count -= static_cast<int64_t>(size);
  ENSURE(memory_.count >= 0);
}

}  // namespace sluice::proxy
