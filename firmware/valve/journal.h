// Decisions as lines of text that can be decided again.
//
// A policy line `policy <id> <fields>` stands before the first decision made under it; a decision
// line is `decision <policy id> <draw> ask <fields> view <fields> plan <fields>`. Fields are
// name=value in a fixed order, durations and instants in microseconds, numbers in the shortest
// form that reads back to the same value, text with %XX for blanks, '%' and control characters.
// The format has a version in the first line of a file (kJournalHead).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/decide.h"
#include "firmware/valve/plan.h"
#include "firmware/valve/policy.h"
#include "firmware/valve/view.h"

namespace sluice::valve {

inline constexpr std::string_view kJournalHead = "sluice decisions 2\n";
inline constexpr size_t kJournalLineMax = 256 * 1024;

struct Decision {
  Ask ask;
  View view;
  Policy policy;
  Draw draw;
  Plan plan;
};

uint64_t policy_id(const Policy& policy);  // a hash of its fields
std::string policy_line(const Policy& policy);
std::string decision_line(const Decision& decision, uint64_t policy);
void append_decision_line(const Decision& decision, uint64_t policy, std::string& out);

// Reads the lines of one file in order; remembers the policies.
class JournalReader {
 public:
  // A decision; or nothing for the head and policy lines. Errors: broken, with what is wrong.
  Result<std::optional<Decision>> read(std::string_view line);

 private:
  std::map<uint64_t, Policy> policies_;
};

}  // namespace sluice::valve
