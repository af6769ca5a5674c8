// The box's own decisions as a trace: when each request came and how long its prompt was believed
// to be. How long its answer was stands in the ledger, not in the journal.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/rehearse/arrivals.h"

namespace sluice::rehearse {

// By the number of the request (valve::Ask::id): the tokens of its answer.
using KnownAnswers = std::map<uint64_t, int64_t>;

struct JournalTrace {
  Trace trace;
  int64_t answers_known = 0;  // of its requests
};

bool is_journal(std::string_view text);

// One request is in several decisions if it waited. Where the answer is not known it is taken to be
// as long as the mean of those that are, or `usual`, and at most what the request allowed.
// Errors: broken, with the line. A last line without its end was being written: it is left out.
Result<JournalTrace> trace_of_journal(std::string_view text, const KnownAnswers& answers,
                                      Tokens usual);

}  // namespace sluice::rehearse
