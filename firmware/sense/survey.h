// What one place answers: a list of paths asked one after another, each once, with a pause between.
// Nothing is asked that costs the place more than reading a page.
//
// idle   -> asking   ask()
// asking -> pausing  answered or failed, and there are more
// pausing -> asking  the pause is over
// pausing -> idle    that was the last, or nothing listens there; the sink is told
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/timers.h"
#include "firmware/sense/exposition.h"

namespace sluice::sense {

inline constexpr size_t kSurveyPathsMax = 64;  // of one ask()
inline constexpr Bytes kSurveyBodyMax = kExpositionBytesMax;
inline constexpr Duration kSurveyPause = Duration::ms(5);
inline constexpr size_t kSurveySilencesMax = 3;  // in a row without a word of HTTP: it speaks none

struct SurveyAnswer {
  std::string path;
  int status = 0;  // 0: no answer came
  bool open_metrics = false;
  std::string body;
  std::string failure;  // not empty: no whole answer

  bool is_ok() const { return failure.empty() && status >= 200 && status < 300; }
};

struct SurveyTimes {
  Duration connect = Duration::seconds(3);
  Duration answer = Duration::seconds(5);
};

// Called from a timer or from a callback of the HTTP client, never inside ask().
class SurveySink {
 public:
  virtual ~SurveySink() = default;
  // In the order asked; the rest is missing if nothing that speaks HTTP listens there.
  virtual void on_surveyed(std::vector<SurveyAnswer> answers) = 0;
};

class Survey final : private ports::HttpCallSink {
 public:
  // `credentials`: fields that every question carries. Ports and sink outlive this.
  Survey(ports::HttpClient& http, ports::Timers& timers, ports::HttpOrigin origin,
         ports::HttpFields credentials, SurveyTimes times, SurveySink& sink);
  ~Survey() override = default;
  Survey(const Survey&) = delete;
  Survey& operator=(const Survey&) = delete;

  // Not while another is under way. Paths beyond kSurveyPathsMax are not asked.
  void ask(std::vector<std::string> paths);
  const ports::HttpOrigin& origin() const { return origin_; }

 private:
  enum class State { idle, asking, pausing };

  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override { conclude(false); }
  void on_fail(const ports::HttpFailure& failure) override;

  void move_to(State next);
  void ask_next();
  void conclude(bool nobody_there);

  // Fixed after construction.
  ports::HttpClient& http_;
  const ports::HttpOrigin origin_;
  const ports::HttpFields credentials_;
  const SurveyTimes times_;
  SurveySink& sink_;
  // Changes.
  State state_ = State::idle;
  std::vector<std::string> paths_;
  std::vector<SurveyAnswer> answers_;
  size_t silences_ = 0;  // in a row
  std::unique_ptr<ports::Timer> timer_;
  std::unique_ptr<ports::HttpCall> call_;
};

}  // namespace sluice::sense
