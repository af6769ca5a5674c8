#include "firmware/tunnel/path_quality.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// One question every 200 ms, each answered after `rtt` or lost in one direction.
struct Talk {
  PathSettings settings;
  ProbeTrack track;
  Instant now = Instant::from_us(1'000'000'000);
  uint32_t seen = 0;
  Duration rtt = Duration::ms(40);

  void answered(Question question = Question::regular) { one(question, false, false); }
  void lost_out(Question question = Question::regular) { one(question, true, false); }
  void lost_back(Question question = Question::regular) { one(question, false, true); }
  PathQuality quality() const { return track.quality(now, settings); }

  void one(Question question, bool out, bool back) {
    const uint64_t sequence = track.ask(now, question, track.timeout(settings), settings);
    if (!out) ++seen;
    if (!out && !back) CHECK(track.answer(now + rtt, sequence, seen));
    now = now + Duration::ms(200);
    if (out || back) now = std::max(now, *track.next_overdue());
    track.expire(now);
  }
};

}  // namespace

TEST_CASE("quality: the round trip is smoothed as RFC 6298 has it") {
  Talk talk;
  CHECK(talk.track.timeout(talk.settings) == talk.settings.timeout_first);
  talk.rtt = Duration::ms(80);
  talk.answered();
  CHECK(talk.quality().rtt == Duration::ms(80));
  CHECK(talk.track.timeout(talk.settings) == Duration::ms(80 + 4 * 40));
  talk.rtt = Duration::ms(40);
  talk.answered();
  CHECK(talk.quality().rtt == Duration::ms(75));
  CHECK(talk.track.timeout(talk.settings) == Duration::ms(75 + 4 * 40));
  CHECK(talk.quality().rtt_min == Duration::ms(40));
  CHECK(talk.quality().jitter == Duration::us(2500));  // 40 ms / 16, RFC 3550
  for (int i = 0; i < 200; ++i) talk.answered();
  CHECK(talk.track.timeout(talk.settings) - talk.quality().rtt == Duration::ms(50));
}

TEST_CASE("quality: a slow path may take timeout_max and no more") {
  Talk talk;
  talk.rtt = Duration::seconds(2);
  talk.answered();
  CHECK(talk.track.timeout(talk.settings) == talk.settings.timeout_max);
}

TEST_CASE("quality: the PoP's count tells in which direction packets were lost") {
  Talk talk;
  for (int i = 0; i < 50; ++i) {
    if (i % 10 == 3) {
      talk.lost_out();
    } else if (i % 25 == 7) {
      talk.lost_back();
    } else {
      talk.answered();
    }
  }
  const PathQuality quality = talk.quality();
  CHECK(quality.probes == 50);
  CHECK(quality.loss_out == doctest::Approx(5.0 / 50));
  CHECK(quality.loss_back == doctest::Approx(2.0 / 45));
  CHECK(loss_of(quality) == doctest::Approx(7.0 / 50));
}

TEST_CASE("quality: a gap with losses of both directions is shared out between them") {
  Talk talk;
  for (int i = 0; i < 10; ++i) talk.answered();
  talk.lost_out();
  talk.lost_out();
  talk.lost_back();
  CHECK(talk.quality().loss_out == doctest::Approx(1.5 / 13));  // not known yet: half and half
  talk.answered();
  CHECK(talk.quality().loss_out == doctest::Approx(2.0 / 14));
  CHECK(talk.quality().loss_back == doctest::Approx(1.0 / 12));
}

TEST_CASE("quality: a PoP that began to count anew does not make nonsense of the shares") {
  Talk talk;
  for (int i = 0; i < 20; ++i) talk.answered();
  talk.lost_back();
  talk.seen = 0;
  for (int i = 0; i < 20; ++i) talk.answered();
  CHECK(loss_of(talk.quality()) == doctest::Approx(1.0 / 41));
  talk.seen = UINT32_MAX - 2;  // and one that counts beyond 32 bits
  for (int i = 0; i < 4; ++i) talk.answered();
  talk.lost_out();
  talk.answered();
  CHECK(talk.quality().loss_out <= 2.0 / 47 + 1e-9);
}

TEST_CASE("quality: questions of a burst and of a size do not count as loss") {
  Talk talk;
  for (int i = 0; i < 20; ++i) talk.answered();
  for (int i = 0; i < 6; ++i) talk.lost_out(Question::burst);
  for (int i = 0; i < 6; ++i) talk.lost_out(Question::size);
  talk.answered();
  CHECK(talk.quality().probes == 21);
  CHECK(loss_of(talk.quality()) == 0);
  CHECK(talk.quality().probes_long == 20);
  CHECK(talk.quality().loss_long == 0);
}

TEST_CASE("quality: a late answer takes its loss back, a second one does nothing") {
  Talk talk;
  for (int i = 0; i < 20; ++i) talk.answered();
  talk.lost_back();
  CHECK(talk.quality().loss_long > 0.04);
  const auto answer = talk.track.answer(talk.now, 21, talk.seen);
  REQUIRE(answer);
  CHECK(answer->late);
  CHECK(loss_of(talk.quality()) == 0);
  CHECK(talk.quality().loss_long == 0);
  CHECK_FALSE(talk.track.answer(talk.now, 21, talk.seen));
}

TEST_CASE("quality: answers to what was never asked, or long ago, are nothing") {
  Talk talk;
  CHECK_FALSE(talk.track.answer(talk.now, 0, 1));
  CHECK_FALSE(talk.track.answer(talk.now, 1, 1));
  talk.answered();
  CHECK_FALSE(talk.track.answer(talk.now, 2, 1));
  talk.lost_back();
  for (int i = 0; i < 300; ++i) talk.answered();
  CHECK_FALSE(talk.track.answer(talk.now, 2, 2));
}

TEST_CASE("quality: what is older than the window, or before a death, does not count") {
  Talk talk;
  for (int i = 0; i < 10; ++i) talk.answered();
  for (int i = 0; i < 10; ++i) talk.lost_out();
  talk.answered();
  CHECK(talk.quality().loss_out == doctest::Approx(10.0 / 21));
  talk.track.forget_loss();
  CHECK(talk.quality().probes == 0);
  CHECK(talk.quality().probes_long == 0);
  for (int i = 0; i < 10; ++i) talk.answered();
  CHECK(talk.quality().probes == 10);
  CHECK(loss_of(talk.quality()) == 0);
  talk.lost_out();
  for (int i = 0; i < 100; ++i) talk.answered();
  CHECK(loss_of(talk.quality()) == 0);
  CHECK(talk.quality().probes == 75);
  CHECK(talk.quality().loss_long > 0);
}

TEST_CASE("quality: memory is bounded, whatever is asked and never answered") {
  Talk talk;
  for (int i = 0; i < 5000; ++i) {
    talk.track.ask(talk.now, Question::burst, Duration::seconds(3), talk.settings);
  }
  CHECK(talk.track.unanswered() == static_cast<int>(ProbeTrack::kKeptMax));
  talk.track.expire(talk.now + Duration::seconds(9));
  CHECK_FALSE(talk.track.next_overdue());
}
