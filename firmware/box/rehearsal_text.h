// The scores of a rehearsal, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/units.h"
#include "firmware/ports/json.h"
#include "firmware/rehearse/score.h"

namespace sluice::box {

struct Rehearsed {
  std::string name;  // of the policy
  rehearse::Score score;
};

struct RehearsalHead {
  std::vector<std::string> notes;  // on the trace and on the engines
  int64_t requests = 0;
  double seconds = 0;  // that they take to come
  double rho = 0;      // on the first engine
  valve::ServiceLevel level;
  Currency currency;
};

std::string rehearsal_text(const RehearsalHead& head, const std::vector<Rehearsed>& all);
ports::JsonValue rehearsal_json(const RehearsalHead& head, const std::vector<Rehearsed>& all);

}  // namespace sluice::box
