// One measured request: asks an engine for a stream of so many tokens and notes when each came.
// asking -> streaming -> ended; asking -> ended
// Destroying it closes the connection: the engine sees that nobody listens any more.
// Wire: chat completions with `stream`, as vLLM and llama.cpp answer it; ignore_eos keeps the
// answer at its full length, engines that do not know the word pass over it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"

namespace sluice::sense {

// Where the measured requests go.
struct CalibrationTarget {
  ports::HttpClient* client = nullptr;  // never null in use
  ports::HttpOrigin origin;
  std::string path;
  ports::HttpFields fields;  // the credential too; never in a log
  std::string model;         // as the node calls it
};

struct CalibrationRequest {
  std::string prompt;
  int64_t output_tokens = 0;
  Duration time_max;
};

class CalibrationStream : private ports::HttpCallSink {
 public:
  static constexpr size_t kLineMax = 64 * 1024;

  CalibrationStream(const CalibrationTarget& target, const CalibrationRequest& request,
                    const ports::Clock& clock);

  void start();
  bool is_ended() const { return state_ == State::ended; }
  const std::string& trouble() const { return trouble_; }  // empty: it went, or goes, well
  Instant sent() const { return sent_; }
  const std::vector<Instant>& tokens() const { return tokens_; }  // when each came
  // As the engine counted, zero if it did not say.
  int64_t prompt_tokens() const { return prompt_tokens_; }
  int64_t output_tokens() const { return output_tokens_; }

 private:
  enum class State { asking, streaming, ended };

  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

  void move_to(State state);
  void end(std::string trouble);
  void take_line(std::string_view line, Instant now);

  // Fixed after construction.
  const CalibrationTarget& target_;
  const ports::Clock& clock_;
  ports::HttpCallSpec spec_;
  size_t tokens_max_;

  // Changes.
  State state_ = State::asking;
  int status_ = 0;
  Instant sent_;
  std::string line_;
  std::vector<Instant> tokens_;
  int64_t prompt_tokens_ = 0;
  int64_t output_tokens_ = 0;
  std::string trouble_;
  std::unique_ptr<ports::HttpCall> call_;
};

}  // namespace sluice::sense
