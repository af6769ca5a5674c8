// All nodes together: makes the snapshot that a decision reads, and hears what became of it.
// Node ids stay while the program runs: a node that settings no longer name is retired, not
// renumbered, so that what is still in flight there ends where it began.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/sense/node_state.h"
#include "firmware/sense/prefix_index.h"
#include "firmware/sense/sense_view.h"
#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::sense {

class Senses : public SenseView {
 public:
  Senses() = default;

  // Errors: refused, if more than valve::kNodesMax names were ever used.
  Result<void> configure(const std::vector<NodeProfile>& profiles, const SenseTimes& times,
                         const valve::Policy& policy, Duration default_tpot_max);

  valve::View view(const std::string& model, int held, Instant now) const;
  // What the nodes of `view` hold of a prompt.
  void add_prompt(valve::View& view, const PromptMarks& marks, Tokens prompt) const;
  Tokens matched(valve::NodeId node, const PromptMarks& marks, Tokens prompt) const;
  void prefilled(valve::NodeId node, const PromptMarks& marks);  // it has computed this prompt
  void decided(const std::string& model, const valve::Plan& plan, Instant now);  // keeps the state

  NodeState* find(const std::string& name);  // null: never heard of
  NodeState& node(valve::NodeId id);
  const NodeState& node(valve::NodeId id) const;
  bool is_retired(valve::NodeId id) const;
  valve::NodeSet serving(const std::string& model) const;
  std::vector<std::string> models() const;  // of all nodes, sorted, unique
  // Something of ours is in the cloud, or would have gone there within the window, for any model.
  bool is_overflowing(Instant now) const;
  void learn(Instant now);

  std::vector<NodeReport> reports(Instant now) const override;

 private:
  struct Entry {
    std::unique_ptr<NodeState> state;
    bool retired = false;
  };
  std::vector<Entry> nodes_;  // index = NodeId
  struct Valve {
    bool overflowing = false;
    Instant decided;
  };
  std::map<std::string, Valve> valves_;  // by model
  PrefixIndex prefixes_;
  Duration window_;
  valve::Policy policy_;
  Duration default_tpot_max_;
};

}  // namespace sluice::sense
