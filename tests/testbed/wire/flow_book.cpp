#include "tests/testbed/wire/flow_book.h"

#include <algorithm>

namespace sluice::testbed {

void FlowBook::rot_all() {
  for (auto& [key, flow] : flows_) flow.rotten = true;
}

bool FlowBook::passes(const Frame& frame, bool from_a, Micros now) {
  if (!frame.ports) return true;
  const Key key = from_a
                      ? Key{frame.source, frame.ports->source, frame.target, frame.ports->target}
                      : Key{frame.target, frame.ports->target, frame.source, frame.ports->source};
  if (flows_.size() >= kFlowsMax && flows_.find(key) == flows_.end()) make_room();
  auto [found, is_new] = flows_.try_emplace(key, Flow{now, now, false});
  Flow& flow = found->second;
  const Micros silence = age_max_ > 0 ? age_max_ : kSilence;
  if (!is_new && now - flow.last > silence) flow = Flow{now, now, false};
  flow.last = now;
  if (age_max_ > 0 && now - flow.born > age_max_) flow.rotten = true;
  return !flow.rotten;
}

void FlowBook::make_room() {
  const auto silent = [](const auto& x, const auto& y) { return x.second.last < y.second.last; };
  flows_.erase(std::min_element(flows_.begin(), flows_.end(), silent));
}

}  // namespace sluice::testbed
