// A wrong date is seen before a handshake tells it to a PoP.
#include "firmware/tunnel/clock_floor.h"

#include "tests/script/memory.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

constexpr Date kNow = Date::from_us(1'790'000'000'000'000);
constexpr Duration kDay = Duration::seconds(86400);

ClockEvidence evidence(Date now, std::optional<Date> floor = {}, std::optional<Date> pop = {},
                       Duration error = {}) {
  ClockEvidence out;
  out.now = now;
  out.floor = floor;
  out.pop_date = pop;
  out.pop_error = error;
  return out;
}

class CountingFiles : public script::MemoryFiles {
 public:
  int writes = 0;
  Result<void> replace(const std::string& path, std::string_view content) override {
    ++writes;
    return MemoryFiles::replace(path, content);
  }
};

}  // namespace

TEST_CASE("clock: without any evidence handshakes are let go, unproven") {
  const ClockVerdict verdict = judge_clock(evidence(kNow));
  CHECK(verdict.trust == ClockTrust::unproven);
  CHECK(verdict.handshakes);
  CHECK(verdict.words.empty());
}

TEST_CASE("clock: before the floor no handshake begins and the date steps to the floor") {
  const ClockVerdict verdict = judge_clock(evidence(Date::from_us(0), kNow));
  CHECK(verdict.trust == ClockTrust::behind_floor);
  CHECK_FALSE(verdict.handshakes);
  CHECK(verdict.step_to == kNow);
  CHECK(verdict.words.en.find("1970-01-01T00:00:00Z") != std::string::npos);
  CHECK_FALSE(verdict.words.zh.empty());
  CHECK(judge_clock(evidence(kNow, kNow)).handshakes);
}

TEST_CASE("clock: ahead of the PoP's date no handshake begins, the round trip allowed for") {
  const Date ahead = kNow + kClockAheadMax + Duration::seconds(1);
  const ClockVerdict verdict = judge_clock(evidence(ahead, {}, kNow));
  CHECK(verdict.trust == ClockTrust::ahead_of_pop);
  CHECK_FALSE(verdict.handshakes);
  CHECK(verdict.step_to == kNow);
  CHECK(judge_clock(evidence(ahead, {}, kNow, Duration::seconds(2))).trust == ClockTrust::trusted);
}

TEST_CASE("clock: behind the PoP's date it is stepped, and handshakes go on") {
  const ClockVerdict verdict = judge_clock(evidence(kNow + kDay * -1, {}, kNow));
  CHECK(verdict.trust == ClockTrust::behind_pop);
  CHECK(verdict.handshakes);
  CHECK(verdict.step_to == kNow);
}

TEST_CASE("clock: handshakes wait while a PoP's date may come, and only then") {
  ClockEvidence seen = evidence(kNow);
  seen.awaited = true;
  CHECK(judge_clock(seen).trust == ClockTrust::unproven);
  CHECK_FALSE(judge_clock(seen).handshakes);
  CHECK(judge_clock(seen).words.empty());
  seen.pop_date = kNow;
  CHECK(judge_clock(seen).handshakes);
  seen.pop_date.reset();
  seen.may_come = false;
  CHECK(judge_clock(seen).handshakes);
}

TEST_CASE("clock: a floor holds nothing back where no PoP can tell, or somebody set the date") {
  ClockEvidence seen = evidence(kNow + kDay * -1, kNow);
  seen.may_come = false;
  CHECK(judge_clock(seen).trust == ClockTrust::behind_floor);
  CHECK(judge_clock(seen).handshakes);
  CHECK(judge_clock(seen).step_to == kNow);
  seen = evidence(kNow + kDay * -1, kNow);
  seen.was_set = true;
  CHECK(judge_clock(seen).trust == ClockTrust::unproven);
  CHECK(judge_clock(seen).handshakes);
  CHECK_FALSE(judge_clock(seen).step_to);
}

TEST_CASE("clock: a handshake is of the future when the PoP's date cannot have come to it") {
  CHECK(is_from_future(kNow + kDay, kNow, {}));
  CHECK_FALSE(is_from_future(kNow, kNow, {}));
  const Date close = kNow + kClockAheadMax + Duration::seconds(1);
  CHECK(is_from_future(close, kNow, {}));
  CHECK_FALSE(is_from_future(close, kNow, Duration::seconds(2)));
}

TEST_CASE("clock: a floor from a clock that was ahead gives way to the PoP's date") {
  const ClockVerdict verdict = judge_clock(evidence(kNow, kNow + kDay, kNow));
  CHECK(verdict.trust == ClockTrust::trusted);
  CHECK(verdict.drop_floor);
  CHECK_FALSE(judge_clock(evidence(kNow, kNow, kNow)).drop_floor);
}

TEST_CASE("clock floor: it survives a restart, rises only, and is written seldom") {
  CountingFiles files;
  {
    ClockFloor floor(files, "state");
    CHECK_FALSE(floor.floor().has_value());
    for (int second = 0; second < 1200; ++second) {
      REQUIRE(floor.note(kNow + Duration::seconds(second), false));
    }
    CHECK(files.writes == 2);
    REQUIRE(floor.note(kNow + Duration::seconds(-99999), false));
    CHECK(floor.floor() == kNow + Duration::seconds(1199));
  }
  ClockFloor again(files, "state");
  REQUIRE(again.floor().has_value());
  CHECK(*again.floor() == kNow + Duration::seconds(600));
  REQUIRE(again.note(kNow + Duration::seconds(1300), true));
  CHECK(files.writes == 3);
  REQUIRE(again.note(kNow + Duration::seconds(1301), true));
  CHECK(files.writes == 3);
  REQUIRE(again.replace(kNow));
  CHECK(ClockFloor(files, "state").floor() == kNow);
}

TEST_CASE("clock floor: a damaged file counts as none") {
  script::MemoryFiles files;
  for (const char* text : {"", "soon", "-5", "99999999999999999999", "9000000000000000"}) {
    CAPTURE(text);
    files.files["state/tunnel/clock_floor"] = text;
    CHECK_FALSE(ClockFloor(files, "state").floor().has_value());
  }
}
