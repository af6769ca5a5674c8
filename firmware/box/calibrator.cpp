#include "firmware/box/calibrator.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/ports/json.h"
#include "firmware/settings/day_window.h"
#include "firmware/upstream/endpoint.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

constexpr int64_t kTokensMost = 32768;  // of a prompt, of an answer
constexpr int kMinutesMost = 24 * 60;
constexpr size_t kDecisionsLooked = 64;

Error not_now(std::string text) { return {ErrorKind::busy, "calibrate", std::move(text)}; }
Error never(std::string text) { return {ErrorKind::refused, "calibrate", std::move(text)}; }

sense::CalibrationBounds bounds_of(const web::CalibrationWish& wish) {
  sense::CalibrationBounds bounds = wish.quick ? sense::quick_bounds() : sense::CalibrationBounds();
  if (wish.concurrency_max > 0) {
    bounds.concurrency_max = std::min(wish.concurrency_max, bounds.concurrency_max);
  }
  if (wish.minutes_max > 0) {
    bounds.time_max = Duration::seconds(60) * std::min(wish.minutes_max, kMinutesMost);
  }
  if (wish.prompt_tokens > 0) bounds.prompt = {std::min(wish.prompt_tokens, kTokensMost)};
  if (wish.output_tokens > 0) bounds.output = {std::min(wish.output_tokens, kTokensMost)};
  return bounds;
}

}  // namespace

Calibrator::Calibrator(CalibratorPorts ports, proxy::ProxyWorld& world, std::string cards_path)
    : ports_(ports), world_(world), path_(std::move(cards_path)) {}

Calibrator::~Calibrator() = default;

void Calibrator::load() {
  const Result<std::string> text = ports_.files.read(path_, sense::kCardFileMax);
  if (!text && text.error().kind == ErrorKind::gone) return;
  Result<std::vector<sense::CardFacts>> cards =
      text ? sense::read_cards(*text) : Result<std::vector<sense::CardFacts>>(text.error());
  if (!cards) {
    return ports_.log.error("calibrate", "{}: {}; the engines are learnt anew, or calibrate again",
                            path_, cards.error().text);
  }
  cards_ = *std::move(cards);
}

void Calibrator::configure(const settings::Settings& settings) {
  live_ = settings.live;
  tell_sense();
}

std::string Calibrator::url_of(const std::string& node) const {
  for (const settings::NodeSettings& one : live_.nodes) {
    if (one.name == node) return one.url;
  }
  return "";
}

// Once for each card: what was learnt since is not to be forgotten for it.
void Calibrator::tell_sense() {
  for (const settings::NodeSettings& node : live_.nodes) {
    sense::NodeState* state = world_.senses.find(node.name);
    if (state == nullptr) continue;
    for (const sense::CardFacts& card : cards_) {
      if (card.node != node.name || card.url != node.url || told_[node.name] == card) continue;
      told_[node.name] = card;
      state->set_card_facts(card.step);
    }
  }
}

Result<void> Calibrator::check(const web::CalibrationWish& wish,
                               const sense::NodeState& node) const {
  if (node.profile().place == valve::Place::cloud) {
    return never(
        fmt::format("{} is a cloud node: measuring it would cost money and tell nothing "
                    "of an engine of this site",
                    wish.node));
  }
  const auto access = world_.nodes.find(node.id());
  if (access == world_.nodes.end() || !node.profile().enabled ||
      world_.senses.is_retired(node.id())) {
    return never(fmt::format("{} is not in use; enable it in the settings first", wish.node));
  }
  if (!access->second.speaks.has(upstream::Endpoint::chat_completions)) {
    return never(fmt::format("{} does not speak chat completions", wish.node));
  }
  if (run_ && run_->is_running()) {
    return not_now(fmt::format("{} is being measured; wait, or stop that", node_));
  }
  const auto window = settings::parse_day_window(live_.sense.calibration_window);
  if (!wish.now && (!window || !settings::is_within(*window, ports_.calendar.now()))) {
    return not_now(
        fmt::format("it is outside the window {} UTC (sense.calibration_window); come "
                    "back then, or say --now",
                    live_.sense.calibration_window));
  }
  if (node.in_flight() > 0) {
    return not_now(fmt::format("{} answers {} requests of clients; try again when it is idle",
                               wish.node, node.in_flight()));
  }
  const sense::EngineReading& reading = node.reading();
  const double busy = reading.running.value_or(0) + reading.waiting.value_or(0);
  if (node.reading_age(ports_.clock.now()) && busy > 0) {
    return not_now(
        fmt::format("{:.0f} requests that did not come through this box run on {}; try "
                    "again when it is idle",
                    busy, wish.node));
  }
  return {};
}

Result<std::string> Calibrator::model_of(const web::CalibrationWish& wish,
                                         const sense::NodeState& node) const {
  std::string model = wish.model;
  if (model.empty()) {
    const std::vector<std::string> served = node.served_models();
    if (served.empty()) return not_now(fmt::format("{} has not said what it serves", wish.node));
    model = served.front();
  }
  const std::optional<std::string> upstream = node.upstream_name(model);
  if (!upstream) return never(fmt::format("{} does not serve \"{}\"", wish.node, model));
  return *upstream;
}

Result<void> Calibrator::calibrate(const web::CalibrationWish& wish, std::string_view author) {
  const sense::NodeState* node = world_.senses.find(wish.node);
  if (node == nullptr) return never(fmt::format("there is no node \"{}\"", wish.node));
  if (Result<void> ok = check(wish, *node); !ok) return ok;
  const Result<std::string> model = model_of(wish, *node);
  if (!model) return model.error();
  const proxy::NodeAccess& access = world_.nodes.at(node->id());
  sense::CalibrationTarget target;
  target.client = access.client;
  target.origin = access.target.origin;
  target.path = upstream::target_path(access.target, upstream::Endpoint::chat_completions, "");
  target.fields = upstream::fields_for(access.target, {}, "calibration", true);
  target.model = *model;
  sense::CardFacts card;
  card.node = wish.node;
  card.url = url_of(wish.node);
  card.model = *model;
  card.measured = ports_.calendar.now();
  node_ = wish.node;
  trouble_.clear();
  unsaved_.clear();
  asked_ = ports_.clock.now();
  ours_ = {0, 0, asked_};
  strange_readings_ = 0;
  strange_at_ = asked_;
  const auto newest = world_.decisions.decisions(0, 1);
  decision_ = newest.empty() ? 0 : newest.front().sequence;
  run_ = std::make_unique<sense::Calibration>(
      sense::CalibrationPorts{ports_.clock, ports_.timers, ports_.random, *this, *this},
      std::move(target), bounds_of(wish), std::move(card));
  ports_.log.info("calibrate", "{} is being measured, asked by {}", node_, author);
  run_->start();
  return {};
}

Result<void> Calibrator::stop_calibration(std::string_view author) {
  if (!run_ || !run_->is_running()) return not_now("nothing is being measured");
  stop(fmt::format("stopped by {}", author));
  return {};
}

void Calibrator::stop(const std::string& why) {
  if (!run_ || !run_->is_running()) return;
  run_->stop(why);
  on_calibration_stopped(why);
}

// A request of a client that the valve sent elsewhere, because the engine is busy with us, is a
// reason to give way as much as one that came here.
bool Calibrator::was_asked_for(const sense::NodeState& node) {
  const auto fresh = world_.decisions.decisions(decision_, kDecisionsLooked);
  if (fresh.empty()) return false;
  decision_ = fresh.front().sequence;
  return std::any_of(fresh.begin(), fresh.end(), [&node](const proxy::DecisionReport& made) {
    return node.upstream_name(made.model).has_value();
  });
}

// Requests in the engine that are not ours: in two readings, because the engine counts a moment
// before we compare.
std::string Calibrator::strangers(const sense::NodeState& node, int ours) {
  const Instant now = ports_.clock.now();
  if (now - ours_.since > kReadingsMin) ours_ = {ours, ours_.now, now};
  ours_.now = std::max(ours_.now, ours);
  const std::optional<Duration> age = node.reading_age(now);
  if (!age || now + Duration() - *age <= strange_at_) return "";
  strange_at_ = now - *age;
  const double in_engine = node.reading().running.value_or(0) + node.reading().waiting.value_or(0);
  const bool strange = in_engine > std::max(ours_.now, ours_.before);
  strange_readings_ = strange ? strange_readings_ + 1 : 0;
  if (strange_readings_ < 2) return "";
  return "requests that did not come through this box run on it: it gave way to them";
}

std::string Calibrator::objection(int ours) {
  const sense::NodeState* node = world_.senses.find(node_);
  if (node == nullptr || world_.senses.is_retired(node->id()) || !node->profile().enabled) {
    return "the node was taken out of use";
  }
  if (node->in_flight() > 0 || was_asked_for(*node)) {
    return "a client's request came: it gave way to it";
  }
  if (ports_.clock.now() - asked_ > kUnaskedMax) return "nobody waits for it any more";
  return strangers(*node, ours);
}

void Calibrator::on_calibrated(const sense::CardFacts& card) {
  ports_.log.info("calibrate", "{} is measured", card.node);
  sense::keep_card(cards_, card);
  save();
  tell_sense();
}

void Calibrator::on_calibration_stopped(const std::string& why) {
  trouble_ = why;
  ports_.log.warning("calibrate", "{} is not measured to the end: {}", node_, why);
}

void Calibrator::save() {
  const Result<void> saved = ports_.files.replace(path_, sense::write_cards(cards_));
  if (saved) return;
  unsaved_ = saved.error().text;
  ports_.log.error("calibrate", "the card is not kept over a restart: {}", unsaved_);
}

std::string Calibrator::calibration() {
  asked_ = ports_.clock.now();
  JsonValue json = JsonValue::object({});
  const bool running = run_ && run_->is_running();
  json.add("state", !run_ ? "none" : running ? "running" : trouble_.empty() ? "done" : "stopped");
  if (!run_) return ports::to_json(json);
  json.add("doing", run_->doing());
  json.add("why", trouble_);
  json.add("unsaved", unsaved_);
  json.add("elapsed_ms", run_->elapsed().as_ms());
  json.add("card", sense::card_json(run_->card()));
  for (const settings::ServiceLevel& level : live_.service_levels) {
    if (level.name != "default") continue;
    json.add("tpot_max_us", level.tpot.as_us());
    json.add("ttft_max_us", level.ttft.as_us());
  }
  return ports::to_json(json);
}

}  // namespace sluice::box
