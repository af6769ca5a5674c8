// That the swarm goes everywhere: a rule that is never put to the test holds always.
#include <doctest/doctest.h>

#include <map>

#include "tests/sim/sim_case.h"

namespace sluice::sim {

TEST_CASE("swarm: all families hold, and between them everything happens that can") {
  constexpr uint64_t kSeeds = 24;
  int64_t served_local = 0;
  int64_t served_cloud = 0;
  int64_t left = 0;
  int64_t cut = 0;
  int64_t leased = 0;
  int64_t retries = 0;
  std::map<int, int> statuses;
  std::map<valve::Reason, int> reasons;
  std::map<std::string, int> outcomes;
  for (const std::string_view family : families()) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const SimCase drawn = *draw_case(family, seed);
      const CaseOutcome outcome = run_case(drawn);
      INFO(describe(drawn));
      CHECK(outcome.violations == std::vector<std::string>{});
      served_cloud += outcome.tally.in_cloud;
      served_local += outcome.tally.served - outcome.tally.in_cloud;
      left += outcome.tally.left;
      cut += outcome.cut;
      leased += outcome.leased_tokens;
      retries += outcome.retries;
      for (const auto& [status, count] : outcome.statuses) statuses[status] += count;
      for (const auto& [reason, count] : outcome.reasons) reasons[reason] += count;
      for (const auto& [name, count] : outcome.attempts) outcomes[name] += count;
    }
  }
  CHECK(served_local > 1000);
  CHECK(served_cloud > 500);
  CHECK(left > 100);
  CHECK(cut > 20);
  CHECK(leased > 500);
  CHECK(retries > 100);
  for (const int status : {200, 429, 503, 504}) {
    CAPTURE(status);
    CHECK(statuses[status] > 10);
  }
  for (const char* outcome : {"served", "client_gone", "busy", "failed", "cut", "timed_out"}) {
    INFO(std::string(outcome));
    CHECK(outcomes[outcome] > 10);
  }
  using valve::Reason;
  for (const Reason reason :
       {Reason::local_fits, Reason::local_down, Reason::no_local, Reason::full_stays_home,
        Reason::full_no_cloud, Reason::full_overflow_off, Reason::waits_its_turn,
        Reason::closed_no_local, Reason::overflow_off}) {
    INFO(std::string(valve::to_text(reason)));
    CHECK(reasons[reason] > 0);
  }
}

}  // namespace sluice::sim
