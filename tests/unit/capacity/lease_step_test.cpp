#include "firmware/capacity/lease_step.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

using namespace sluice;
using namespace sluice::capacity;
using What = LeaseHappening;

namespace {

const Date kStart = Date::from_us(1'800'000'000'000'000);

Step fresh(LeaseState state = LeaseState::wanted) {
  Step step;
  step.state = state;
  step.lease = "lease-1";
  step.offer.cold_start = Duration::seconds(40);
  step.decided = kStart;
  step.changed = kStart;
  return step;
}

Step after(Step step, const std::vector<What>& events, Date at = kStart) {
  for (const What what : events) step = next(std::move(step), {what, at}, LeaseBounds());
  return step;
}

constexpr std::array kAll = {What::agreed,    What::declined,   What::begun,      What::asked,
                             What::serving,   What::refused,    What::failed,     What::closed,
                             What::unknown,   What::unanswered, What::not_needed, What::drained,
                             What::restarted, What::time};

}  // namespace

TEST_CASE("lease: from the wish to its end by the straight way") {
  Step step = fresh();
  CHECK_FALSE(may_cost(step));
  CHECK(act_of(step, kStart, LeaseBounds()) == LeaseAct::none);
  step = after(step, {What::begun});
  CHECK(step.state == LeaseState::opening);
  CHECK(step.opened == kStart);
  CHECK(may_cost(step));
  CHECK(act_of(step, kStart, LeaseBounds()) == LeaseAct::open);
  step = after(step, {What::asked, What::serving});
  CHECK(step.state == LeaseState::serving);
  CHECK(act_of(step, kStart, LeaseBounds()) == LeaseAct::none);
  step = after(step, {What::not_needed});
  CHECK(step.state == LeaseState::draining);
  CHECK(is_held(step) == false);
  step = after(step, {What::drained});
  CHECK(step.state == LeaseState::closing);
  CHECK(act_of(step, kStart, LeaseBounds()) == LeaseAct::close);
  step = after(step, {What::asked, What::closed});
  CHECK(step.state == LeaseState::released);
  CHECK_FALSE(may_cost(step));
}

TEST_CASE("lease: a proposal waits for a person, whatever else happens") {
  const Step proposed = fresh(LeaseState::proposed);
  for (const What what : {What::begun, What::serving, What::time, What::restarted, What::drained}) {
    CHECK(after(proposed, {what}).state == LeaseState::proposed);
  }
  CHECK(after(proposed, {What::agreed}).state == LeaseState::wanted);
  CHECK(after(proposed, {What::declined}).state == LeaseState::released);
  CHECK(after(proposed, {What::not_needed}).state == LeaseState::released);
}

TEST_CASE("lease: what may cost money ends by the platform's word alone") {
  for (const LeaseState state :
       {LeaseState::opening, LeaseState::serving, LeaseState::draining, LeaseState::closing}) {
    for (const What what : kAll) {
      const Step step = after(fresh(state), {what}, kStart + Duration::seconds(100000));
      if (step.state != LeaseState::released) continue;
      CAPTURE(to_text(state));
      const bool by_platform =
          what == What::closed || what == What::unknown || what == What::refused;
      CHECK(by_platform);
    }
  }
  // While it opens an old "closed" or "unknown" does not end it: it is being asked for.
  CHECK(after(fresh(LeaseState::opening), {What::closed}).state == LeaseState::opening);
  CHECK(after(fresh(LeaseState::opening), {What::unknown}).state == LeaseState::opening);
}

TEST_CASE("lease: closing is asked again and again until it is answered") {
  Step step = fresh(LeaseState::closing);
  const LeaseBounds bounds;
  CHECK(act_of(step, kStart, bounds) == LeaseAct::close);
  step = next(step, {What::asked, kStart}, bounds);
  CHECK(act_of(step, kStart + Duration::seconds(19), bounds) == LeaseAct::none);
  CHECK(act_of(step, kStart + Duration::seconds(20), bounds) == LeaseAct::close);
  // A date that jumped back does not silence it.
  CHECK(act_of(step, kStart + Duration::seconds(-5), bounds) == LeaseAct::close);
}

TEST_CASE("lease: an instance that never serves is given up, and closed") {
  const Step opening = after(fresh(), {What::begun});
  CHECK(after(opening, {What::time}, kStart + Duration::seconds(299)).state == LeaseState::opening);
  CHECK(after(opening, {What::time}, kStart + Duration::seconds(300)).state == LeaseState::closing);
  Step slow = opening;
  slow.offer.cold_start = Duration::seconds(200);  // four of its own cold starts are more
  CHECK(after(slow, {What::time}, kStart + Duration::seconds(799)).state == LeaseState::opening);
  CHECK(after(slow, {What::time}, kStart + Duration::seconds(800)).state == LeaseState::closing);
}

TEST_CASE("lease: what is paid for anyway stays") {
  Step step = after(fresh(), {What::begun, What::serving});
  step.offer.billed_min = Duration::seconds(600);
  CHECK(after(step, {What::not_needed}, kStart + Duration::seconds(599)).state ==
        LeaseState::serving);
  CHECK(after(step, {What::not_needed}, kStart + Duration::seconds(600)).state ==
        LeaseState::draining);
}

TEST_CASE("lease: a restart in any step forgets nothing that costs money") {
  struct Case {
    LeaseState before;
    LeaseState then;
    LeaseAct act;
  };
  for (const Case& c : {Case{LeaseState::proposed, LeaseState::proposed, LeaseAct::none},
                        {LeaseState::wanted, LeaseState::wanted, LeaseAct::none},
                        {LeaseState::opening, LeaseState::opening, LeaseAct::open},
                        {LeaseState::serving, LeaseState::opening, LeaseAct::open},
                        {LeaseState::draining, LeaseState::closing, LeaseAct::close},
                        {LeaseState::closing, LeaseState::closing, LeaseAct::close}}) {
    Step step = fresh(c.before);
    step.asked = kStart;  // just asked: what came of it is not known
    step = after(step, {What::restarted});
    CAPTURE(to_text(c.before));
    CHECK(step.state == c.then);
    CHECK(act_of(step, kStart, LeaseBounds()) == c.act);
  }
}

TEST_CASE("lease: the step says why it came to be where it is") {
  const Step step =
      next(fresh(LeaseState::opening), {What::refused, kStart, "no instance is free"}, {});
  CHECK(step.why == "refused by the platform: no instance is free");
  CHECK(after(after(fresh(), {What::begun, What::failed}), {What::closed}).why ==
        "failed to start");
}
