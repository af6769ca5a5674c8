#include "firmware/tunnel/traffic_switch.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::tunnel {

namespace {

const PathView* find(const std::vector<PathView>& paths, int number) {
  for (const PathView& path : paths) {
    if (path.number == number) return &path;
  }
  return nullptr;
}

bool carries(const PathView* path) {
  return path != nullptr && (path->state == PathState::good || path->state == PathState::degraded);
}

}  // namespace

TrafficSwitch::TrafficSwitch(const SwitchPorts& ports, const std::string& state_folder)
    : ports_(ports), log_(ports.files, state_folder + "/tunnel", ports.log) {}

void TrafficSwitch::adopt(const ports::NetworkState& network, const std::vector<PathView>& paths) {
  if (adopted_ || paths.empty()) return;
  adopted_ = true;
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    for (const ports::NexthopState& group : network.nexthops) {
      if (group.id != group_of(traffic) || group.group.size() != 1) continue;
      for (const PathView& path : paths) {
        if (nexthop_of(path.number) != group.group.front()) continue;
        standing_[index(traffic)].path = path.number;
        standing_[index(traffic)].since = ports_.clock.now();
      }
    }
  }
}

// While some have not answered yet, right after the start, no choice is better than a hasty one:
// what stands goes on, and without anything standing nothing waits for it that long.
bool TrafficSwitch::is_settling(const std::vector<PathView>& paths, Instant now) {
  if (paths.empty()) return false;
  if (!first_paths_) first_paths_ = now;
  if (now >= *first_paths_ + kSettle) return false;
  return std::any_of(paths.begin(), paths.end(), [](const PathView& path) {
    return path.state == PathState::starting ||
           (path.state == PathState::down && path.trouble.empty());
  });
}

bool TrafficSwitch::choose(const std::vector<PathView>& paths, const std::vector<PathLoss>& losses,
                           const ports::NetworkState& network, const PathSettings& settings) {
  bool moved = false;
  const Instant now = ports_.clock.now();
  settling_ = is_settling(paths, now);
  if (settling_) return false;
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    const size_t at = index(traffic);
    if (still_ && find(paths, standing_[at].path) != nullptr) {
      last_[at].moved = false;
      last_[at].again.reset();
      continue;
    }
    ChoiceAsk ask;
    ask.traffic = traffic;
    ask.standing = standing_[at];
    ask.wish = wishes_[at];
    ask.interactive = standing_[index(TrafficClass::interactive)].path;
    last_[at] = tunnel::choose(ask, paths, now, settings);
    standing_[at] = last_[at].standing;
    if (!last_[at].moved) continue;
    moved = true;
    move(last_[at], traffic, paths, losses, network);
  }
  return moved;
}

void TrafficSwitch::move(const Choice& choice, TrafficClass traffic,
                         const std::vector<PathView>& paths, const std::vector<PathLoss>& losses,
                         const ports::NetworkState& network) {
  // First of all the traffic.
  const std::optional<ports::NetworkChange> change = switch_change(traffic, choice.path, network);
  Result<void> applied = change ? ports_.links.apply(*change) : Result<void>();
  PathLoss loss;
  for (const PathLoss& one : losses) {
    if (one.path == choice.from) loss = one;
  }
  SwitchRecord record =
      record_of(choice, traffic, paths, ports_.clock.now(), loss.cause, loss.unanswered);
  record.at = ports_.calendar.now();
  record.drill = drill_;
  const SwitchRecord& kept = log_.add(std::move(record));
  const LogLevel level = kept.from.empty() || kept.drill ? LogLevel::info : LogLevel::warning;
  ports_.log.say(level, "tunnel", "{}", explain(kept).en);
  if (!applied) {
    ports_.log.error("tunnel", "{} could not be moved: {}", to_text(traffic), applied.error().text);
  }
}

void TrafficSwitch::forget() {
  standing_ = {};
  last_ = {};
  wishes_ = {};
  first_paths_.reset();
  settling_ = false;
}

std::optional<int> TrafficSwitch::chosen(TrafficClass traffic) const {
  const int path = standing_[index(traffic)].path;
  return path == kNoPath ? std::nullopt : std::optional<int>(path);
}

ChosenPaths TrafficSwitch::chosen() const {
  ChosenPaths paths;
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    paths[index(traffic)] = chosen(traffic);
  }
  return paths;
}

std::optional<Instant> TrafficSwitch::again() const {
  if (settling_) return *first_paths_ + kSettle;
  std::optional<Instant> first;
  for (const Choice& choice : last_) {
    if (choice.again && (!first || *choice.again < *first)) first = choice.again;
  }
  return first;
}

std::vector<ClassView> TrafficSwitch::classes(const std::vector<PathView>& paths) const {
  std::vector<ClassView> views;
  for (const TrafficClass traffic : {TrafficClass::interactive, TrafficClass::bulk}) {
    const size_t at = index(traffic);
    ClassView view;
    view.traffic = traffic;
    const PathView* path = find(paths, standing_[at].path);
    if (path != nullptr) view.path = path->name.text();
    view.carries = carries(path);
    view.why = explain(last_[at], traffic, paths);
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<SwitchView> TrafficSwitch::switches(size_t most) const {
  std::vector<SwitchView> views;
  const auto& kept = log_.kept();
  for (size_t i = kept.size() - std::min(most, kept.size()); i < kept.size(); ++i) {
    const SwitchRecord& record = kept[i];
    SwitchView view;
    view.at = record.at;
    view.traffic = record.traffic;
    view.from = record.from;
    view.to = record.to;
    view.why = explain(record);
    view.gap = record.gap;
    view.packets_lost = record.probes_lost;
    for (const SwitchRecord::Other& other : record.others) {
      view.alternatives.push_back(fmt::format("{}: {}", other.path, explain(other.why).en));
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace sluice::tunnel
