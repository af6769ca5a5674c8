#include "tests/testbed/wire/wire.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace sluice::testbed {

namespace {

constexpr int kFramesPerTurn = 64;  // of one end, then the other has its turn

}  // namespace

Wire::Wire(Poller& poller, const WireOptions& options)
    : poller_(poller),
      options_(options),
      a2b_(*this, 0, options.seed * 2),
      b2a_(*this, 1, options.seed * 2 + 1) {}

Wire::~Wire() {
  for (Way* way : {&a2b_, &b2a_}) {
    if (way->timer) poller_.cancel(*way->timer);
    if (ends_[static_cast<std::size_t>(way->number)].fd() >= 0) {
      poller_.forget(ends_[static_cast<std::size_t>(way->number)].fd());
    }
  }
}

std::optional<std::string> Wire::open() {
  for (const std::string& text : options_.watch) {
    const auto prefix = WirePrefix::parse(text);
    if (!prefix) return fmt::format("--watch {}: not a prefix such as 10.88.0.0/24", text);
    watch_.push_back(*prefix);
  }
  if (auto error = ends_[0].open(options_.a)) return error;
  if (auto error = ends_[1].open(options_.b)) return error;
  for (const std::string& command : options_.settings) {
    const nlohmann::json answer = obey(command);
    if (!answer["ok"]) return answer["error"].get<std::string>();
  }
  poller_.watch(ends_[0].fd(), EPOLLIN, a2b_);
  poller_.watch(ends_[1].fd(), EPOLLIN, b2a_);
  return std::nullopt;
}

void Wire::Way::on_ready(std::uint32_t) { wire.take(*this); }

void Wire::take(Way& way) {
  Tap& from = ends_[static_cast<std::size_t>(way.number)];
  for (int i = 0; i < kFramesPerTurn; ++i) {
    auto bytes = from.read();
    if (!bytes) break;
    enter(way, std::move(*bytes));
  }
  deliver(way);
}

void Wire::enter(Way& way, std::string bytes) {
  const Frame frame = Frame::read(bytes);
  if (frame.is_ip && std::any_of(watch_.begin(), watch_.end(), [&frame](const WirePrefix& prefix) {
        return prefix.contains(frame.source) || prefix.contains(frame.target);
      })) {
    ++way.watched;
  }
  const Micros now = poller_.now();
  const std::size_t size = bytes.size();
  const bool fresh = flows_.passes(frame, way.number == 0, now);
  const Fate fate = fresh ? way.line.enter(std::move(bytes), frame, now) : Fate::rotten;
  if (fate != Fate::passed) way.line.count(fate, size);
}

void Wire::deliver(Way& way) {
  Tap& to = ends_[static_cast<std::size_t>(1 - way.number)];
  while (const auto bytes = way.line.leave(poller_.now())) to.write(*bytes);
  set_timer(way);
}

void Wire::set_timer(Way& way) {
  const auto due = way.line.next_due();
  if (way.timer && due == way.timer->first) return;
  if (way.timer) poller_.cancel(*way.timer);
  way.timer.reset();
  if (!due) return;
  way.timer = poller_.call_at(*due, [this, &way] {
    way.timer.reset();
    deliver(way);
  });
}

nlohmann::json Wire::counters(const Way& way) const {
  nlohmann::json told = {{"bytes", way.line.passed_bytes()}, {"watched", way.watched}};
  for (int i = 0; i < kFates; ++i) {
    told[to_text(static_cast<Fate>(i))] = way.line.frames(static_cast<Fate>(i));
  }
  return told;
}

std::optional<std::string> Wire::set_carrier(const std::string& end, const std::string& value) {
  if (value != "0" && value != "1") return "carrier must be 0 or 1";
  if (end != "b") {
    if (auto error = ends_[0].set_carrier(value == "1")) return error;
  }
  return end == "a" ? std::nullopt : ends_[1].set_carrier(value == "1");
}

std::optional<std::string> Wire::set_nat_age(const std::string& value) {
  char* end = nullptr;
  const double seconds = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !(seconds >= 0) || seconds > 1e6) {
    return "nat_age_s must be seconds; 0 switches it off";
  }
  flows_.set_age_max(from_seconds(seconds));
  return std::nullopt;
}

std::optional<std::string> Wire::set_ways(const std::string& target, const std::string& key,
                                          const std::string& value) {
  if (target == "a" || target == "b") return target + " has only carrier=0 and carrier=1";
  for (Way* way : {&a2b_, &b2a_}) {
    if (target == (way->number == 0 ? "b2a" : "a2b")) continue;
    if (auto error = way->line.settings.set(key, value)) return error;
    if (way->line.settings.cut) way->line.lose_underway();
    set_timer(*way);
  }
  return std::nullopt;
}

std::optional<std::string> Wire::apply(const std::string& target,
                                       const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return fmt::format("{} is not of the form key=value", word);
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    std::optional<std::string> error;
    if (key == "carrier") {
      error = set_carrier(target, value);
    } else if (key == "nat_age_s") {
      error = set_nat_age(value);
    } else {
      error = set_ways(target, key, value);
    }
    if (error) return error;
  }
  return std::nullopt;
}

nlohmann::json Wire::obey(const std::string& command) {
  std::istringstream stream(command);
  std::string target;
  stream >> target;
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  nlohmann::json answer = {{"ok", true}};
  std::optional<std::string> error;
  if (target == "stats" && words.empty()) {
    answer["a2b"] = counters(a2b_);
    answer["b2a"] = counters(b2a_);
    answer["flows"] = flows_.size();
  } else if (target == "rot" && words.empty()) {
    flows_.rot_all();
  } else if (target == "clear" && words.empty()) {
    a2b_.line.settings = b2a_.line.settings = LineSettings{};
    flows_.set_age_max(0);
    error = set_carrier("both", "1");
  } else if (target == "both" || target == "a2b" || target == "b2a" || target == "a" ||
             target == "b") {
    error = apply(target, words);
  } else {
    error = fmt::format("\"{}\" is no command; --help lists them", command);
  }
  if (error) answer = {{"ok", false}, {"error", *error}};
  answer["at_us"] = poller_.now();
  return answer;
}

}  // namespace sluice::testbed
