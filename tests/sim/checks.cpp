#include "tests/sim/checks.h"

#include <numeric>

namespace sluice::sim {

void Checks::after_turn() {
  size_t in_flight = 0;
  size_t calls = 0;
  for (size_t i = 0; i < site_.nodes_.size(); ++i) {
    const valve::NodeId id{static_cast<uint8_t>(i)};
    const int ours = site_.senses_.node(id).in_flight();
    const int open = site_.nodes_[i]->open_calls();
    site_.must(ours <= open, "an attempt is counted as running without a call");
    in_flight += static_cast<size_t>(ours);
    calls += static_cast<size_t>(open);
  }
  site_.must(in_flight == site_.meter_.open_attempts(), "sense and meter count differently");
  site_.must(calls <= site_.open_ * site_.spec_.calls_at_a_time, "a call outlives its exchange");
  site_.must(site_.room_.length() <= site_.spec_.queue_max, "the queue is beyond its bound");
  if (++turns_ % kTurnsPerLook == 0) look_at_idle_engines();
}

// Every local engine that is believed to be up has nothing to do, and one of them is up and can be
// reached, while requests wait: the valve has forgotten them.
void Checks::look_at_idle_engines() {
  bool idle = false;
  bool busy = false;
  const valve::View view = site_.senses_.view(std::string(kModel), 0, site_.clock.now());
  for (const valve::NodeView& node : view.nodes) {
    SimNode& real = *site_.nodes_[node.id.index];
    if (node.place != valve::Place::local || node.health != valve::Health::up) continue;
    if (real.faults().off || real.faults().link_out || real.faults().status != 0) continue;
    const bool works = real.service().running() > 0 || real.open_calls() > 0;
    busy = busy || works;
    idle = idle || !works;
  }
  if (!idle || busy || site_.room_.length() == 0) {
    idle_since_.reset();
    return;
  }
  if (!idle_since_) idle_since_ = site_.clock.now();
  site_.must(site_.clock.now() - *idle_since_ < kIdleWhileWaitingMax,
             "requests wait beside idle engines");
}

void Checks::at_end() {
  after_turn();
  site_.must(site_.open_ == 0, "an exchange has not ended");
  site_.must(site_.meter_.open_attempts() == 0, "an attempt is still counted as running");
  site_.must(site_.room_.length() == 0, "somebody still waits");
  site_.must(site_.bodies_.kept().count == 0, "a body is kept after its exchange");
  for (const auto& node : site_.nodes_) {
    site_.must(node->open_calls() == 0, "a call is still open");
    site_.must(node->service().running() == 0, "an engine still works for nobody");
  }
  for (const identity::ApiKey& key : site_.spec_.keys) {
    const bool free = !site_.limits_.enter(key.id, {0, 0, 1}, site_.clock.now());
    site_.must(free, "a key still has a request running");
    if (free) site_.limits_.leave(key.id);
  }
  check_ledger();
}

void Checks::check_ledger() {
  LedgerBook::Sum rows;
  for (const auto& [outcome, sum] : site_.store_.by_outcome) {
    rows.attempts += sum.attempts;
    rows.cost_nano += sum.cost_nano;
    rows.out_counted += sum.out_counted;
  }
  site_.must(rows.attempts == site_.calls_made_, "the ledger has not each attempt once");
  site_.must(rows.out_counted == site_.tokens_heard_, "tokens that came and tokens counted differ");
  int64_t cost = 0;
  uint64_t attempts = 0;
  for (const auto& [node, totals] : site_.meter_.totals()) {
    cost += totals.cost.nano;
    attempts = std::accumulate(totals.attempts.begin(), totals.attempts.end(), attempts);
  }
  site_.must(cost == rows.cost_nano, "the ledger's money is not the meter's");
  site_.must(static_cast<int64_t>(attempts) == rows.attempts, "the meter counts other attempts");
}

}  // namespace sluice::sim
