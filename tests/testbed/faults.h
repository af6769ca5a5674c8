// Faults that a stand-in engine commits on command: at most one per request, drawn from a seeded
// stream of chance, and a few that concern the whole server.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testbed/engine_window.h"

namespace sluice::testbed {

enum class Fault {
  none,
  refuse,     // the connection is closed without a byte
  hang,       // no answer, the connection stays open
  reset,      // RST in the middle of the answer
  stall,      // nothing more from the middle of the answer on, the connection stays open
  cut,        // FIN in the middle of the answer, without the final chunk
  status503,  // with Retry-After
  status429,  // with Retry-After
  status500,
  malformed,   // not HTTP: a wrong status line, or a wrong chunk size in the middle
  badjson,     // well-framed, but an event (or the body) is not JSON
  status529,   // with Retry-After, as Anthropic says it is overloaded
  error_event  // a stream tells an error in its middle and ends well-framed; a whole answer: 500
};

std::string_view name_of(Fault fault);

enum class Lie { off, zero, overload };

struct FaultDraw {
  Fault fault = Fault::none;
  double place = 0;  // where in the answer, within [0, 1)
};

class Faults {
 public:
  explicit Faults(std::uint64_t seed) : state_(seed) {}

  FaultDraw draw();

  // Sets what the object names and leaves the rest; an error text when a key or value is wrong, and
  // then nothing has changed. Keys: the names above (probability), seed, lie ("off", "zero",
  // "overload"), slow (factor on every step), retry_after_s, listen (bool), listen_off_s, drop
  // (bool: reset every connection), clear (bool: first set all probabilities to 0),
  // counters_restart (bool: all counters begin anew), and those of the window (engine_window.h):
  // metrics_refresh_s, metrics_hold_s, metrics_lag_s, metrics_frozen (bool), metrics_late_s,
  // sleeping (bool), rename ("old/new"; "" ends it).
  std::optional<std::string> apply(const nlohmann::json& wish);
  // "refuse=0.02,cut=0.1,lie=zero" as such an object.
  static nlohmann::json wish_of(std::string_view text);

  Lie lie() const { return lie_; }
  double slow() const { return slow_; }
  int retry_after_s() const { return retry_after_s_; }
  const WindowFaults& window() const { return window_; }
  nlohmann::json describe() const;

 private:
  double chance();
  std::optional<std::string> set(const std::string& key, const nlohmann::json& value);
  std::optional<std::string> set_lie(const nlohmann::json& value);
  std::optional<std::string> set_name(const nlohmann::json& value);
  bool* switch_named(std::string_view key);
  double* window_seconds(std::string_view key);

  std::uint64_t state_;
  std::map<Fault, double> probability_;
  Lie lie_ = Lie::off;
  WindowFaults window_;
  double slow_ = 1;
  int retry_after_s_ = 1;
};

}  // namespace sluice::testbed
