// One random case of the swarm: a site, a crowd, and what goes wrong, all drawn from a seed.
// A family fixes some of the draws; "any" fixes none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/valve/words.h"
#include "tests/sim/crowd.h"
#include "tests/sim/mishaps.h"

namespace sluice::sim {

struct SimCase {
  std::string family;
  uint64_t seed = 0;
  SiteSpec site;
  CrowdSpec crowd;
  std::vector<Mishap> mishaps;
};

std::span<const std::string_view> families();
// Nothing: there is no such family.
std::optional<SimCase> draw_case(std::string_view family, uint64_t seed);
std::string describe(const SimCase& drawn);

struct CaseOutcome {
  std::vector<std::string> violations;  // empty: all held
  uint64_t trace_hash = 0;
  Tally tally;
  int64_t output_tokens = 0;
  int retries = 0;
  int cut = 0;  // answers that broke off
  int64_t leased_tokens = 0;
  std::map<int, int> statuses;              // that clients saw
  std::map<valve::Reason, int> reasons;     // of decisions
  std::map<std::string, int64_t> attempts;  // by outcome, in the ledger
  Duration lasted;
};
// `tell`: hears in words what is decided and how requests end, if it is set.
CaseOutcome run_case(const SimCase& drawn,
                     const std::function<void(const std::string&)>& tell = nullptr);

}  // namespace sluice::sim
