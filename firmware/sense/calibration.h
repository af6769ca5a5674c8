// Measures an engine by the published method: 1,024 tokens in and 1,024 out with 1, 2, 4 ... 512
// requests at a time, each prompt unlike any other so that no prefix cache answers; and how fast it
// reads, and in which pieces, by single prompts of several sizes beside one stream that decodes.
//
// warming -> reading -> climbing -> done     climbing: pause, then the next level, again and again
//    any  -> stopped                         a client came, a person said so, the engine failed
// It gives way: whatever the guard objects to ends it within kLook, and all its requests with it.
// Bounds: concurrency, tokens and time; where one is reached the climb ends and what was learnt
// counts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/sense/calibration_fit.h"
#include "firmware/sense/calibration_stream.h"
#include "firmware/sense/card_facts.h"

namespace sluice::sense {

struct CalibrationBounds {
  Tokens prompt{1024};
  Tokens output{1024};
  int concurrency_max = 512;
  Tokens longest_prompt{16384};  // of the reading
  int repeats = 2;               // of each prompt of the reading
  Tokens tokens_max{4'000'000};  // in and out, of all requests
  Duration time_max = Duration::seconds(45 * 60);
};

// Smaller and sooner: a first idea.
CalibrationBounds quick_bounds();

class CalibrationGuard {
 public:
  virtual ~CalibrationGuard() = default;
  // Why the engine must be left alone now; empty: it need not. `ours`: requests of the calibration.
  virtual std::string objection(int ours) = 0;
};

class CalibrationSink {
 public:
  virtual ~CalibrationSink() = default;
  virtual void on_calibrated(const CardFacts& card) = 0;
  virtual void on_calibration_stopped(const std::string& why) = 0;
};

struct CalibrationPorts {
  const ports::Clock& clock;
  ports::Timers& timers;
  ports::Random& random;
  CalibrationGuard& guard;
  CalibrationSink& sink;
};

class Calibration {
 public:
  static constexpr Duration kLook = Duration::ms(20);
  static constexpr Duration kPause = Duration::ms(300);  // between two measurements
  static constexpr Duration kStreamMax = Duration::seconds(1800);

  // `card` names node, url and model.
  Calibration(CalibrationPorts ports, CalibrationTarget target, const CalibrationBounds& bounds,
              CardFacts card);
  ~Calibration();

  void start();
  void stop(const std::string& why);  // no callback follows
  bool is_running() const;
  std::string doing() const;                       // for people
  const CardFacts& card() const { return card_; }  // as far as it is known
  Duration elapsed() const;

 private:
  enum class State { warming, reading, climbing, done, stopped };
  using Streams = std::vector<std::unique_ptr<CalibrationStream>>;

  void move_to(State state);
  void on_look();
  bool give_way();
  void fail(const std::string& why);
  void begin(int64_t prompt_tokens, int64_t output_tokens);  // one more request
  std::string prompt_of(int64_t tokens);
  bool all_ended() const;
  std::string first_trouble() const;
  void forget_streams();

  void look_at_warming();
  void begin_reading();
  void look_at_reading();
  void take_reading();
  void next_reading();
  void finish_reading();
  void begin_level(int concurrency);
  void look_at_climbing();
  void take_level();
  std::string reason_to_end(const CardLevel& level, Duration took) const;
  void finish();

  // Fixed after construction.
  CalibrationPorts ports_;
  CalibrationTarget target_;
  CalibrationBounds bounds_;
  std::unique_ptr<ports::Timer> look_;

  // Changes.
  State state_ = State::warming;
  CardFacts card_;
  Streams streams_;
  Instant started_;
  Instant resume_;  // nothing before it: a pause
  Instant level_began_;
  double tokens_per_word_ = 1.0;
  int64_t spent_ = 0;  // tokens
  int64_t reading_size_ = 0;
  int repeats_left_ = 0;
  bool probe_sent_ = false;
  Instant probe_at_;
  int level_ = 0;
  std::vector<PrefillTrial> trials_;
  std::vector<DecodeWindow> windows_;
};

}  // namespace sluice::sense
