// Following an engine: what it must be doing, between the tokens that show it.
#include "firmware/sense/engine_twin.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;

namespace {

const valve::StepModel kModel = {10000, 100, 0, 100, 100, 0, 0};  // 10 ms and 10 ms a chunk
const Instant kStart = Instant::from_us(5'000'000);
Instant at_ms(int64_t ms) { return kStart + Duration::ms(ms); }
Instant due() { return kStart + Duration::seconds(2); }

}  // namespace

TEST_CASE("twin: a prompt is computed a chunk a step, and the clock says how far it is") {
  EngineTwin twin;
  twin.sent(1, {250}, {250}, due(), kModel, kStart);
  CHECK(twin.moment(kModel, kStart).prefill_left.count == 150);  // a chunk is in the step under way
  CHECK(twin.moment(kModel, kStart).step_left == Duration::ms(20));
  CHECK(twin.moment(kModel, at_ms(15)).step_left == Duration::ms(5));
  CHECK(twin.moment(kModel, at_ms(25)).prefill_left.count == 50);
  CHECK(twin.moment(kModel, at_ms(45)).prefill_left.count == 0);
  CHECK(twin.moment(kModel, at_ms(45)).decoding == 1);
}

TEST_CASE("twin: what need not be computed is not waited for") {
  EngineTwin twin;
  twin.sent(1, {250}, {10}, due(), kModel, kStart);
  const valve::EngineMoment moment = twin.moment(kModel, kStart);
  CHECK(moment.prefill_left.count == 0);
  CHECK(moment.kv.count == 250);  // but it is attended to
  CHECK(moment.step_left == Duration::ms(11));
}

TEST_CASE("twin: tokens of one step are one step, however they straggle") {
  EngineTwin twin;
  StepSeen seen;
  for (const uint64_t id : {1, 2, 3}) twin.sent(id, {50}, {50}, due(), kModel, kStart);
  for (const uint64_t id : {1, 2, 3}) twin.began(id, kModel, at_ms(20), seen);
  // The three streams' tokens of the step from 20 to 31 ms arrive at 31, 32 and 33 ms.
  CHECK(twin.token(1, at_ms(20), kModel, at_ms(31), seen));
  CHECK(seen.length == Duration::ms(11));
  CHECK(seen.decoding == 3);
  CHECK_FALSE(twin.token(1, at_ms(20), kModel, at_ms(32), seen));
  CHECK_FALSE(twin.token(1, at_ms(20), kModel, at_ms(33), seen));
  CHECK(twin.token(1, at_ms(31), kModel, at_ms(41), seen));
  CHECK(seen.length == Duration::ms(10));
}

TEST_CASE("twin: the time to spare is that of the prompt that could be made late") {
  EngineTwin twin;
  CHECK(twin.moment(kModel, kStart).spare == valve::EngineMoment::kNobody);
  twin.sent(1, {250}, {250}, at_ms(61), kModel, kStart);
  // 20 ms of this step and two more; each 20.1 ms with one sequence if full.
  CHECK(twin.moment(kModel, kStart).spare > Duration());
  twin.sent(2, {100}, {100}, at_ms(61), kModel, kStart);
  CHECK(twin.moment(kModel, kStart).spare < Duration());
}

TEST_CASE("twin: a prompt that is taken back leaves nothing behind") {
  EngineTwin twin;
  twin.sent(1, {5000}, {5000}, due(), kModel, kStart);
  twin.ended(1, false, {}, at_ms(30));
  const valve::EngineMoment moment = twin.moment(kModel, at_ms(30));
  CHECK(moment.prefill_left.count == 0);
  CHECK(moment.kv.count == 0);
  CHECK(moment.step_left.is_zero());
  CHECK(twin.prompts() == 0);
}

TEST_CASE("twin: prompts without end are bounded") {
  EngineTwin twin;
  for (uint64_t id = 1; id <= EngineTwin::kPromptsMax + 100; ++id) {
    twin.sent(id, {10}, {10}, due(), kModel, kStart);
  }
  CHECK(twin.prompts() == EngineTwin::kPromptsMax);
}
