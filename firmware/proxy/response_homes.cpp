#include "firmware/proxy/response_homes.h"

namespace sluice::proxy {

namespace {

// No key's id has a blank.
std::string name_of(std::string_view key, std::string_view id) {
  std::string name(key);
  name += ' ';
  name += id;
  return name;
}

}  // namespace

void ResponseHomes::forget(Entries::iterator entry) {
  by_name_.erase(entry->name);
  entries_.erase(entry);
}

void ResponseHomes::learn(std::string_view key, std::string_view id, valve::NodeId node,
                          Instant now) {
  if (id.empty() || id.size() > kIdMax) return;
  std::string name = name_of(key, id);
  if (const auto known = by_name_.find(name); known != by_name_.end()) forget(known->second);
  if (entries_.size() >= kKeptMax) forget(entries_.begin());
  const auto entry = entries_.insert(entries_.end(), {name, node, now});
  by_name_.emplace(std::move(name), entry);
}

std::optional<valve::NodeId> ResponseHomes::find(std::string_view key, std::string_view id,
                                                 Instant now) {
  while (!entries_.empty() && now - entries_.front().used > kAgeMax) forget(entries_.begin());
  const auto known = by_name_.find(name_of(key, id));
  if (known == by_name_.end()) return std::nullopt;
  known->second->used = now;
  entries_.splice(entries_.end(), entries_, known->second);
  return known->second->node;
}

}  // namespace sluice::proxy
