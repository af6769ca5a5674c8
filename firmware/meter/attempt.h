// One attempt to serve a request on one node: the unit of metering. A request that was retried has
// several; each is a row of its own, so that nothing is billed twice and nothing is forgotten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/valve/view.h"

namespace sluice::meter {

enum class Outcome {
  served,       // complete
  client_gone,  // the client left before the end
  refused,      // the node refused the request (4xx)
  busy,         // the node asked us to wait (429, 503)
  failed,       // the node failed before any byte reached the client
  cut,          // the node failed after bytes had reached the client
  timed_out,    // ours: first byte, idle or total
  interrupted,  // the daemon ended in between; found in the journal at the next start
  superseded,   // ended by us before a byte reached the client: another node keeps the promise
  outrun,       // another copy of the request was faster: cancelled before it passed anything
};
inline constexpr int kOutcomeCount = 10;

const char* to_text(Outcome outcome);  // its name here; also in SQL, metrics and journals
std::optional<Outcome> outcome_from_text(std::string_view text);

// Known when the attempt is sent.
struct AttemptStart {
  uint64_t id = 0;       // 63 random bits: unique over restarts
  std::string request;   // the request's id, as the client was told
  std::string key;       // id of the API key
  std::string model;     // as the client named it
  std::string endpoint;  // e.g. chat.completions
  std::string node;
  valve::Place place = valve::Place::local;
  int number = 1;  // of the request's attempts
  Date at;
  Tokens prompt_estimate;
  int64_t price_in_nano = 0;  // box currency per token, as of the start
  int64_t price_out_nano = 0;
  int64_t price_cached_nano = 0;
};

// Known when it ended.
struct AttemptEnd {
  Outcome outcome = Outcome::served;
  int status = 0;         // HTTP, of the node; 0 = none came
  bool reported = false;  // the node told its usage: the next three hold
  Tokens in_reported;
  Tokens out_reported;
  Tokens cached_reported;  // part of in_reported
  Tokens out_counted;      // from the stream, as it passed
  Duration first_byte;     // zero = none came
  Duration total;
};

// Bounds on what a node may report, so that no sum over the ledger overflows.
inline constexpr int64_t kAttemptTokensMax = 1'000'000'000;
inline constexpr int64_t kAttemptCostNanoMax = 1'000'000'000'000'000;

struct BilledTokens {
  Tokens in;  // cached included
  Tokens out;
  Tokens cached;  // at most `in`
};

// As reported where the node reported, else the prompt's estimate and the tokens counted. A
// refused, busy, failed or interrupted attempt counts nothing unless the node reported usage.
BilledTokens billed_tokens(const AttemptStart& start, const AttemptEnd& end);

// What the attempt costs: its billed tokens at the prices of its start.
Money cost_of(const AttemptStart& start, const AttemptEnd& end);

}  // namespace sluice::meter
