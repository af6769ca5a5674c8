#include "firmware/sense/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "firmware/base/check.h"
#include "firmware/sense/decode_window.h"

namespace sluice::sense {

namespace {

constexpr int64_t kWarmPrompt = 64;
constexpr int64_t kWarmOutput = 8;
constexpr int64_t kFirstReading = 512;
constexpr int64_t kCarrierPrompt = 16;
constexpr int64_t kCarrierOutput = 4096;
constexpr size_t kQuietTokens = 24;  // of the carrier, before the prompt comes
// Twice as many at once that bring less than this bring no more.
constexpr double kGainMin = 1.02;

constexpr std::array<std::string_view, 32> kWords = {
    "lake", "wind", "tree", "moon", "rain", "gold", "ship", "road", "salt", "bird", "snow",
    "hill", "iron", "leaf", "door", "fire", "wave", "corn", "rope", "mill", "sand", "wool",
    "path", "lamp", "fish", "coal", "bell", "rose", "milk", "yard", "boat", "cave"};

int64_t written_tokens(const CalibrationStream& stream) {
  return stream.output_tokens() > 0 ? stream.output_tokens()
                                    : static_cast<int64_t>(stream.tokens().size());
}

CardLevel level_of(const std::vector<std::unique_ptr<CalibrationStream>>& streams, Instant began) {
  CardLevel level;
  level.concurrency = static_cast<int>(streams.size());
  std::vector<Duration> firsts;
  double tpot_sum = 0;
  int64_t tokens = 0;
  Instant last = began;
  for (const auto& stream : streams) {
    const std::vector<Instant>& times = stream->tokens();
    const int64_t written = written_tokens(*stream);
    firsts.push_back(times.front() - stream->sent());
    tokens += written;
    last = std::max(last, times.back());
    if (written > 1)
      tpot_sum += (times.back() - times.front()).as_seconds() / static_cast<double>(written - 1);
  }
  std::sort(firsts.begin(), firsts.end());
  level.ttft_p50 = firsts[firsts.size() / 2];
  level.ttft_max = firsts.back();
  level.tpot_mean = Duration::from_seconds(tpot_sum / static_cast<double>(streams.size()));
  const double seconds = (last - began).as_seconds();
  level.output_tps = seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  return level;
}

}  // namespace

CalibrationBounds quick_bounds() {
  CalibrationBounds bounds;
  bounds.prompt = {256};
  bounds.output = {64};
  bounds.concurrency_max = 32;
  bounds.longest_prompt = {8192};
  bounds.repeats = 1;
  bounds.tokens_max = {200'000};
  bounds.time_max = Duration::seconds(300);
  return bounds;
}

Calibration::Calibration(CalibrationPorts ports, CalibrationTarget target,
                         const CalibrationBounds& bounds, CardFacts card)
    : ports_(ports),
      target_(std::move(target)),
      bounds_(bounds),
      look_(ports.timers.make([this] { on_look(); })),
      card_(std::move(card)) {
  card_.prompt = bounds_.prompt;
  card_.output = bounds_.output;
}

Calibration::~Calibration() = default;

void Calibration::start() {
  ENSURE(state_ == State::warming && streams_.empty());
  started_ = ports_.clock.now();
  resume_ = started_;
  begin(kWarmPrompt, kWarmOutput);
  look_->start(kLook);
}

void Calibration::move_to(State state) {
  ENSURE(is_running() && (state >= state_));
  state_ = state;
}

bool Calibration::is_running() const { return state_ != State::done && state_ != State::stopped; }

Duration Calibration::elapsed() const { return ports_.clock.now() - started_; }

void Calibration::stop(const std::string& why) {
  if (!is_running()) return;
  card_.ended = why;
  move_to(State::stopped);
  look_->stop();
  streams_.clear();
}

void Calibration::fail(const std::string& why) {
  stop(why);
  ports_.sink.on_calibration_stopped(why);
}

std::string Calibration::doing() const {
  switch (state_) {
    case State::warming:
      return "asking once, to see that it answers";
    case State::reading:
      return fmt::format("reading a prompt of {} tokens", reading_size_);
    case State::climbing:
      return fmt::format("{} at a time", level_);
    case State::done:
      return "done";
    case State::stopped:
      return "stopped";
  }
  return "";
}

// Random words: no two prompts begin alike, so that nothing of them is in a cache.
std::string Calibration::prompt_of(int64_t tokens) {
  const auto words = static_cast<int64_t>(static_cast<double>(tokens) / tokens_per_word_);
  std::string prompt = fmt::format("{:016x}", ports_.random.next());
  uint64_t bits = 0;
  for (int64_t i = 3; i < words; ++i) {
    if (bits == 0) bits = ports_.random.next() | (uint64_t{1} << 63);
    prompt += ' ';
    prompt += kWords[bits % kWords.size()];
    bits >>= 5;
  }
  return prompt;
}

void Calibration::begin(int64_t prompt_tokens, int64_t output_tokens) {
  const CalibrationRequest request{prompt_of(prompt_tokens), output_tokens, kStreamMax};
  streams_.push_back(std::make_unique<CalibrationStream>(target_, request, ports_.clock));
  streams_.back()->start();
}

bool Calibration::all_ended() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const auto& stream) { return stream->is_ended(); });
}

std::string Calibration::first_trouble() const {
  for (const auto& stream : streams_) {
    if (stream->is_ended() && !stream->trouble().empty()) return stream->trouble();
  }
  return "";
}

void Calibration::forget_streams() {
  for (const auto& stream : streams_) {
    spent_ += stream->prompt_tokens() + written_tokens(*stream);
  }
  streams_.clear();
  resume_ = ports_.clock.now() + kPause;
}

bool Calibration::give_way() {
  const std::string objection = ports_.guard.objection(static_cast<int>(streams_.size()));
  if (objection.empty()) return false;
  fail(objection);
  return true;
}

void Calibration::on_look() {
  if (!is_running() || give_way()) return;
  look_->start(kLook);
  if (ports_.clock.now() < resume_) return;
  if (state_ == State::warming) return look_at_warming();
  if (state_ == State::reading) return look_at_reading();
  look_at_climbing();
}

void Calibration::look_at_warming() {
  if (!all_ended()) return;
  if (const std::string trouble = first_trouble(); !trouble.empty()) return fail(trouble);
  const CalibrationStream& stream = *streams_.front();
  if (stream.prompt_tokens() > 0) {
    // What the chat template adds to the words is small beside prompts that matter.
    tokens_per_word_ = static_cast<double>(stream.prompt_tokens()) / kWarmPrompt;
  }
  forget_streams();
  move_to(State::reading);
  reading_size_ = kFirstReading;
  repeats_left_ = bounds_.repeats;
}

void Calibration::begin_reading() {
  probe_sent_ = false;
  begin(kCarrierPrompt, kCarrierOutput);
}

void Calibration::look_at_reading() {
  if (streams_.empty()) return begin_reading();
  const CalibrationStream& carrier = *streams_.front();
  if (carrier.is_ended() && !probe_sent_) {
    const bool short_one = carrier.trouble().empty();
    return fail(short_one ? "its answers end too soon to be measured" : carrier.trouble());
  }
  if (!probe_sent_) {
    if (carrier.tokens().size() < kQuietTokens) return;
    probe_sent_ = true;
    probe_at_ = ports_.clock.now();
    return begin(reading_size_, 1);
  }
  const CalibrationStream& probe = *streams_.back();
  if (!probe.is_ended()) return;
  // The carrier's token of the same step may still be on its way.
  if (!carrier.is_ended() && !probe.tokens().empty() &&
      carrier.tokens().back() <= probe.tokens().front()) {
    return;
  }
  take_reading();
}

void Calibration::take_reading() {
  const CalibrationStream& carrier = *streams_.front();
  const CalibrationStream& probe = *streams_.back();
  if (probe.tokens().empty()) {  // longer than the engine takes
    card_.ended = probe.trouble();
    forget_streams();
    return finish_reading();
  }
  PrefillTrial trial;
  trial.prompt_tokens = probe.prompt_tokens() > 0 ? probe.prompt_tokens() : reading_size_;
  std::vector<double> quiet;
  const std::vector<Instant>& times = carrier.tokens();
  for (size_t i = 1; i < times.size(); ++i) {
    const double step = static_cast<double>((times[i] - times[i - 1]).as_us());
    if (times[i] <= probe_at_) {
      quiet.push_back(step);
    } else if (times[i - 1] < probe.tokens().front()) {
      trial.steps_us.push_back(step);
    }
  }
  double sum = 0;
  for (const double step : quiet) sum += step;
  trial.quiet_us = quiet.empty() ? 0 : sum / static_cast<double>(quiet.size());
  trials_.push_back(std::move(trial));
  forget_streams();
  next_reading();
}

void Calibration::next_reading() {
  if (--repeats_left_ > 0) return;
  repeats_left_ = bounds_.repeats;
  reading_size_ *= 2;
  const bool late = elapsed() > bounds_.time_max / 3;
  if (reading_size_ > bounds_.longest_prompt.count || late) finish_reading();
}

void Calibration::finish_reading() {
  card_.ended.clear();
  if (const std::optional<PrefillFit> fit = fit_prefill(trials_)) {
    card_.step.prefill_us_per_token = fit->us_per_token;
    card_.step.chunk_tokens = fit->chunk_tokens;
    card_.chunk_is_at_least = fit->is_at_least;
  }
  move_to(State::climbing);
  level_ = 1;
}

void Calibration::begin_level(int concurrency) {
  level_ = concurrency;
  level_began_ = ports_.clock.now();
  for (int i = 0; i < concurrency; ++i) begin(bounds_.prompt.count, bounds_.output.count);
}

void Calibration::look_at_climbing() {
  if (streams_.empty()) return begin_level(level_);
  if (elapsed() > bounds_.time_max) {
    card_.ended = "the time for it was up";
    streams_.clear();
    return finish();
  }
  if (all_ended()) take_level();
}

void Calibration::take_level() {
  if (const std::string trouble = first_trouble(); !trouble.empty()) {
    if (card_.levels.empty()) return fail(trouble);
    card_.ended = fmt::format("with {} at a time {}", level_, trouble);
    forget_streams();
    return finish();
  }
  const CardLevel level = level_of(streams_, level_began_);
  const double prompt =
      static_cast<double>(streams_.front()->prompt_tokens() > 0 ? streams_.front()->prompt_tokens()
                                                                : bounds_.prompt.count);
  std::vector<TokenTimes> times;
  for (const auto& stream : streams_) {
    const double counted = static_cast<double>(stream->tokens().size());
    const double written = static_cast<double>(written_tokens(*stream));
    times.push_back({&stream->tokens(), written / counted});
  }
  for (const DecodeWindow& window : decode_windows(times, prompt)) windows_.push_back(window);
  const Duration took = ports_.clock.now() - level_began_;
  card_.ended = reason_to_end(level, took);
  card_.levels.push_back(level);
  forget_streams();
  if (!card_.ended.empty()) return finish();
  level_ *= 2;
}

// Empty: the next level may follow.
std::string Calibration::reason_to_end(const CardLevel& level, Duration took) const {
  const int next = level_ * 2;
  if (next > bounds_.concurrency_max || card_.levels.size() + 1 >= kCardLevelsMax) {
    return fmt::format("{} at a time is as far as it was to go", level_);
  }
  if (!card_.levels.empty() && level.output_tps < card_.levels.back().output_tps * kGainMin) {
    return fmt::format("{} at a time bring no more than {}", level_, level_ / 2);
  }
  const int64_t tokens = next * (bounds_.prompt.count + bounds_.output.count);
  const int64_t now = level_ * (bounds_.prompt.count + bounds_.output.count);
  if (spent_ + now + tokens > bounds_.tokens_max.count) {
    return "the tokens for it were spent";
  }
  if (elapsed() + took * 2 > bounds_.time_max) return "the time for it was up";
  return "";
}

void Calibration::finish() {
  const std::optional<DecodeFit> fit = fit_decode(windows_);
  if (!fit) return fail("too few levels were measured to say how its steps grow");
  card_.step.base_us = fit->base_us;
  card_.step.per_seq_us = fit->per_seq_us;
  card_.step.per_kv_token_us = fit->per_kv_token_us;
  card_.step.spread = fit->spread;
  for (const DecodeWindow& window : windows_) {
    card_.step.sequences_max =
        std::max(card_.step.sequences_max, static_cast<int>(window.sequences));
  }
  move_to(State::done);
  look_->stop();
  ports_.sink.on_calibrated(card_);
}

}  // namespace sluice::sense
