// Which node made a response (/v1/responses): a later request that goes on from it by
// previous_response_id must reach the node that remembers it. Per key: another key's id is not
// found. Kept in memory only; who asks after a restart is told to send the whole conversation.
// Bounds: kKeptMax entries, the longest unused goes first; kAgeMax, as OpenAI keeps responses.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/time.h"
#include "firmware/valve/ask.h"

namespace sluice::proxy {

class ResponseHomes {
 public:
  static constexpr size_t kKeptMax = 20'000;
  static constexpr size_t kIdMax = 256;  // longer ids are not kept
  static constexpr Duration kAgeMax = Duration::seconds(30 * 24 * 3600);

  void learn(std::string_view key, std::string_view id, valve::NodeId node, Instant now);
  std::optional<valve::NodeId> find(std::string_view key, std::string_view id, Instant now);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;  // key and id
    valve::NodeId node;
    Instant used;
  };
  using Entries = std::list<Entry>;
  void forget(Entries::iterator entry);

  Entries entries_;  // the longest unused first
  std::map<std::string, Entries::iterator, std::less<>> by_name_;
};

}  // namespace sluice::proxy
