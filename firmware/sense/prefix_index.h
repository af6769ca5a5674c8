// Which node probably holds how much of a prompt in its prefix cache: what was sent where, by the
// marks of the prompts (prompt_marks.h).
//
// A table of kEntries marks in sets of kWays; in a full set the mark that was used longest ago
// gives way. It takes kEntries * 24 bytes = 3 MiB, from the first prompt on, and never more: room
// for the last 8,000 prompts of 4 KB, or 1,600 of 64 KB. A lookup takes about log2(marks) looks,
// whatever the number of nodes; memory per prompt does not depend on it either. What an engine has
// dropped of its cache is not seen; CacheTrust tells how often that happens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "firmware/base/units.h"
#include "firmware/sense/prompt_marks.h"
#include "firmware/valve/ask.h"

namespace sluice::sense {

class PrefixIndex {
 public:
  static constexpr size_t kEntries = 128 * 1024;
  static constexpr size_t kWays = 8;

  // Bytes of the prompt that were sent to each node before.
  struct Matches {
    std::array<uint64_t, valve::kNodesMax> bytes{};
  };

  void learn(const PromptMarks& marks, valve::NodeId node);  // it has computed this prompt
  Matches find(const PromptMarks& marks) const;
  void forget(valve::NodeId node);  // its engine began anew

 private:
  struct Entry {
    uint64_t mark = 0;
    uint64_t nodes = 0;  // 0: free
    uint64_t used = 0;
  };
  const Entry* entry(uint64_t mark) const;
  void narrow(const PromptMarks& marks, uint64_t nodes, size_t low, size_t high,
              Matches& found) const;

  std::vector<Entry> entries_;  // empty before the first prompt
  uint64_t uses_ = 0;
};

// Whether a node's prefix cache works, and how much of what was sent before is still in it: the
// mean share that it reported, recent attempts counting more. A node that never told counts as one
// without a cache: a forecast that is too good breaks promises, one that is too bad costs money.
class CacheTrust {
 public:
  static constexpr double kNewest = 0.1;  // what one attempt counts, once there are some

  // Shares of the prompt: sent before, and said to have been cached.
  void learn(double matched, double cached);
  double share() const { return share_; }

 private:
  double share_ = 0;
  int seen_ = 0;
};

}  // namespace sluice::sense
