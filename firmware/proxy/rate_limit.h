// Requests and tokens per minute, and requests at a time, per key: token buckets (a bucket holds
// one minute's worth and refills evenly). Tokens are taken by estimate when a request comes and
// corrected when it ends. A value: `now` is an argument.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::proxy {

struct KeyLimits {
  int64_t requests_per_minute = 0;  // 0 = no limit
  int64_t tokens_per_minute = 0;
  int concurrency = 0;
};

enum class LimitHit { requests, tokens, concurrency };

struct LimitRefusal {
  LimitHit hit = LimitHit::requests;
  Duration retry_after;
};

class RateLimit {
 public:
  // Nothing: admitted, and counted as running until leave().
  std::optional<LimitRefusal> enter(const std::string& key, const KeyLimits& limits, Instant now);
  std::optional<LimitRefusal> take_tokens(const std::string& key, const KeyLimits& limits,
                                          Tokens tokens, Instant now);
  void correct_tokens(const std::string& key, const KeyLimits& limits, Tokens estimated,
                      Tokens actual);
  void leave(const std::string& key);

 private:
  struct Bucket {
    double left = 0;
    Instant filled;
    bool started = false;
  };
  struct Counts {
    Bucket requests;
    Bucket tokens;
    int running = 0;
  };
  static void fill(Bucket& bucket, int64_t per_minute, Instant now);
  static Duration time_until(const Bucket& bucket, double wanted, int64_t per_minute);

  std::map<std::string, Counts> keys_;  // as many as there are keys
};

}  // namespace sluice::proxy
