#include "firmware/sense/senses.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "firmware/base/check.h"
#include "firmware/valve/forecast.h"
#include "firmware/valve/words.h"

namespace sluice::sense {

namespace {

// A prompt's tokens are spread evenly over its bytes, as far as anybody knows.
Tokens tokens_of(uint64_t bytes, const PromptMarks& marks, Tokens prompt) {
  const double part = static_cast<double>(bytes) / static_cast<double>(marks.bytes);
  return {std::llround(part * static_cast<double>(prompt.count))};
}

}  // namespace

Result<void> Senses::configure(const std::vector<NodeProfile>& profiles, const SenseTimes& times,
                               const valve::Policy& policy, Duration default_tpot_max) {
  size_t fresh = 0;
  for (const NodeProfile& profile : profiles) fresh += find(profile.name) == nullptr ? 1 : 0;
  if (nodes_.size() + fresh > static_cast<size_t>(valve::kNodesMax)) {
    return Error{ErrorKind::refused, "sense",
                 "more than 64 different node names since the start; restart to begin anew"};
  }
  policy_ = policy;
  default_tpot_max_ = default_tpot_max;
  window_ = times.window;
  for (Entry& entry : nodes_) entry.retired = true;
  for (const NodeProfile& profile : profiles) {
    if (NodeState* known = find(profile.name)) {
      known->set_profile(profile);
      known->set_times(times);
      nodes_[known->id().index].retired = false;
      continue;
    }
    const valve::NodeId id{static_cast<uint8_t>(nodes_.size())};
    nodes_.push_back({std::make_unique<NodeState>(id, profile, times), false});
  }
  return {};
}

valve::View Senses::view(const std::string& model, int held, Instant now) const {
  valve::View view;
  view.now = now;
  view.held = held;
  const auto state = valves_.find(model);
  view.overflowing = state != valves_.end() && state->second.overflowing;
  const valve::NodeSet serving_model = serving(model);
  view.nodes.reserve(nodes_.size());
  for (const Entry& entry : nodes_) {
    if (serving_model.has(entry.state->id())) view.nodes.push_back(entry.state->view(now));
  }
  return view;
}

void Senses::add_prompt(valve::View& view, const PromptMarks& marks, Tokens prompt) const {
  if (marks.hashes.empty()) return;
  const PrefixIndex::Matches found = prefixes_.find(marks);
  for (valve::NodeView& seen : view.nodes) {
    const uint64_t bytes = found.bytes[seen.id.index];
    if (bytes == 0) continue;
    seen.matched = tokens_of(bytes, marks, prompt);
    const double trust = node(seen.id).cache_trust();
    seen.cached.count = std::llround(static_cast<double>(seen.matched.count) * trust);
  }
}

Tokens Senses::matched(valve::NodeId node, const PromptMarks& marks, Tokens prompt) const {
  if (marks.hashes.empty()) return {};
  return tokens_of(prefixes_.find(marks).bytes[node.index], marks, prompt);
}

void Senses::prefilled(valve::NodeId node, const PromptMarks& marks) {
  prefixes_.learn(marks, node);
}

void Senses::decided(const std::string& model, const valve::Plan& plan, Instant now) {
  valves_[model] = {plan.overflowing, now};  // only models that some node serves come here
}

NodeState* Senses::find(const std::string& name) {
  for (Entry& entry : nodes_) {
    if (entry.state->profile().name == name) return entry.state.get();
  }
  return nullptr;
}

NodeState& Senses::node(valve::NodeId id) {
  ENSURE(id.index < nodes_.size());
  return *nodes_[id.index].state;
}

const NodeState& Senses::node(valve::NodeId id) const {
  ENSURE(id.index < nodes_.size());
  return *nodes_[id.index].state;
}

bool Senses::is_retired(valve::NodeId id) const {
  ENSURE(id.index < nodes_.size());
  return nodes_[id.index].retired;
}

valve::NodeSet Senses::serving(const std::string& model) const {
  valve::NodeSet set;
  for (const Entry& entry : nodes_) {
    if (entry.retired || !entry.state->profile().enabled) continue;
    if (entry.state->upstream_name(model)) set.add(entry.state->id());
  }
  return set;
}

std::vector<std::string> Senses::models() const {
  std::set<std::string> names;
  for (const Entry& entry : nodes_) {
    if (entry.retired || !entry.state->profile().enabled) continue;
    for (std::string& name : entry.state->served_models()) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

bool Senses::is_overflowing(Instant now) const {
  const auto is_open = [&](const auto& entry) {
    return entry.second.overflowing && now - entry.second.decided <= window_;
  };
  if (std::any_of(valves_.begin(), valves_.end(), is_open)) return true;
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Entry& entry) {
    return entry.state->profile().place == valve::Place::cloud && entry.state->in_flight() > 0;
  });
}

void Senses::learn(Instant now) {
  for (Entry& entry : nodes_) {
    entry.state->learn(now);
    if (entry.state->take_restart()) prefixes_.forget(entry.state->id());
  }
}

std::vector<NodeReport> Senses::reports(Instant now) const {
  std::vector<NodeReport> reports;
  for (const Entry& entry : nodes_) {
    if (entry.retired) continue;
    const NodeState& node = *entry.state;
    const valve::NodeView view = node.view(now);
    NodeReport report;
    report.name = node.profile().name;
    report.place = node.profile().place;
    report.engine = node.profile().engine;
    report.enabled = node.profile().enabled;
    report.health = view.health;
    if (view.health != valve::Health::up) report.why = node.why(now);
    report.in_flight = view.in_flight;
    const Duration promised =
        view.strictest_tpot.is_zero() ? default_tpot_max_ : view.strictest_tpot;
    report.line = valve::line_of(view, promised, policy_, nullptr);
    report.running = node.reading().running;
    report.waiting = node.reading().waiting;
    report.kv_usage = node.reading().kv_usage;
    const QueueBelief queue = node.queue().at(now);
    report.queue_running = node.queue().running(now);
    report.queue_waiting = node.queue().waiting(now);
    report.queue_others = queue.others;
    report.queue_spread = queue.spread;
    report.queue_lag = queue.lag;
    report.queue_age = now - report.queue_running.at;
    report.ttft_p50 = node.ttft_p50(now);
    report.tpot_p50 = node.tpot_p50(now);
    report.reading_age = node.reading_age(now);
    report.load = node.load(now);
    report.at = now;
    report.fields = node.told().fields();
    report.models = node.served_models();
    report.step = view.step;
    const double sequences = std::max(1, view.moment.decoding);
    const double kv = static_cast<double>(view.moment.kv.count);
    report.advice_en = valve::chunk_advice(view.step, sequences, kv, promised, valve::Language::en);
    report.advice_zh = valve::chunk_advice(view.step, sequences, kv, promised, valve::Language::zh);
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace sluice::sense
