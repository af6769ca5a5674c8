// What the page may read of the last decisions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firmware/base/time.h"

namespace sluice::proxy {

struct DecisionReport {
  uint64_t sequence = 0;  // rises by one with each decision since the start
  Date at;
  std::string request;
  std::string model;
  std::string key;      // its name
  std::string verdict;  // send, hold, refuse
  std::string node;     // of the first candidate; empty unless `send`
  std::string place;
  std::string reason;
  double level = 0;
  int line = 0;
  int64_t ttft_ms = 0;  // forecast, of the first candidate
  int64_t tpot_us = 0;
  std::string words_en;
  std::string words_zh;
};

class DecisionsView {
 public:
  virtual ~DecisionsView() = default;
  // Those with a sequence above `after`, newest first, at most `count_max`.
  virtual std::vector<DecisionReport> decisions(uint64_t after, size_t count_max) const = 0;
};

// Requests sent more than once, since the start.
struct ExtraReport {
  uint64_t retries = 0;         // after a failure
  uint64_t retries_denied = 0;  // by the retry budget
  uint64_t hedges = 0;          // copies of what came late
  uint64_t hedges_won = 0;
  uint64_t hedges_denied = 0;  // by their share of requests
};

class ExtraView {
 public:
  virtual ~ExtraView() = default;
  virtual ExtraReport extras() const = 0;
};

// How many requests wait, and how many may.
struct QueueReport {
  size_t length = 0;
  size_t length_max = 0;
};

class QueueView {
 public:
  virtual ~QueueView() = default;
  virtual QueueReport queue() const = 0;
};

}  // namespace sluice::proxy
