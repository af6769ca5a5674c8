#include "firmware/valve/hedge.h"

#include <doctest/doctest.h>

#include "firmware/valve/decide.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

struct Late {
  View view = view_of({local_node(), cloud_node()});
  Ask ask = ask_for(view);
  Policy policy;
  Late() {
    policy.hedge = true;
    view.nodes[0].ttft_late = Duration::ms(700);
  }
  Duration after() const { return decide(ask, view, policy, {1}).hedge_after; }
};

}  // namespace

TEST_CASE("hedge: a copy goes out when few of the node's answers began later") {
  Late late;
  CHECK(late.after() == Duration::ms(700));
}

TEST_CASE("hedge: a long prompt is given the time that it was expected to take") {
  Late late;
  late.ask.prompt_tokens = {15'000};  // 50 ms and 1.5 s
  CHECK(late.after() == Duration::ms(1550));
}

TEST_CASE("hedge: never where it is off, not known, of no use, or has nowhere to go") {
  Late late;
  late.policy.hedge = false;
  CHECK(late.after().is_zero());
  late = Late();
  late.view.nodes[0].ttft_late = {};
  CHECK(late.after().is_zero());
  late = Late();
  late.ask.stream = false;
  CHECK(late.after().is_zero());
  late = Late();
  late.view.nodes[1].ttft_base = Duration::seconds(5);  // would be late itself
  CHECK(late.after().is_zero());
  late = Late();
  late.ask.stays_home = true;
  CHECK(late.after().is_zero());
}
