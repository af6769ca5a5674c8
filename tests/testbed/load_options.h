// What a run of the load driver does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::testbed {

struct LoadOptions {
  enum class Mode { stream, whole, mix };

  std::string host;
  std::string port;
  std::string base_path;  // before /v1
  std::string key;
  std::string model = "stand-in";
  std::vector<std::string> headers;  // "Name: value"
  bool chat = true;
  Mode mode = Mode::stream;
  Mode usage = Mode::stream;  // stream: always asked for; whole: never; mix: for half of them

  int concurrency = 1;  // closed loop, if rate is 0 and there is no trace
  double rate = 0;
  std::string trace;
  double time_scale = 1;
  double ramp_s = 0;  // the closed loop's users start within it

  std::int64_t requests = 0;  // 0: no limit
  double duration_s = 0;      // 0: no limit
  std::int64_t prompt_tokens = 64;
  std::int64_t max_tokens = 50;  // 0: not asked
  double timeout_s = 600;
  double abort_probability = 0;
  double abort_within_s = 1;  // of a whole answer; a stream is left after a drawn token
  bool same_prompt = false;
  bool any_answer = false;  // a real engine's: its text is not known beforehand
  bool keep_alive = false;
  std::uint64_t seed = 1;
  std::size_t max_open = 20000;  // arrivals beyond it are counted as dropped
};

}  // namespace sluice::testbed
