#include "firmware/sense/other_clients.h"

#include <doctest/doctest.h>

#include "firmware/sense/token_share.h"

using namespace sluice;
using namespace sluice::sense;

namespace {
Instant at(int64_t ms) { return Instant::from_us(1'000'000'000 + ms * 1000); }
void see(OtherClients& others, double count, int64_t ms) {
  others.see(count, count, count, at(ms), at(ms));
}
}  // namespace

TEST_CASE("other clients: what is certain is taken as it is") {
  OtherClients others;
  CHECK(others.at(at(0)).count == 0);
  see(others, 12, 0);
  CHECK(others.at(at(0)).count == 12);
  see(others, 30, 250);
  CHECK(others.at(at(300)).count == doctest::Approx(30));
}

TEST_CASE("other clients: who never came is not seen in a doubtful count") {
  OtherClients others;
  for (int i = 0; i < 40; ++i) see(others, 0, i * 250);
  others.see(0, 3, 6, at(10'000), at(10'000));
  CHECK(others.at(at(10'000)).count < 0.5);
  others.see(4, 5, 6, at(10'250), at(10'250));  // there are four at least
  CHECK(others.at(at(10'250)).count >= 4);
}

TEST_CASE(
    "other clients: unseen, their number drifts to its mean at the pace at which they leave") {
  OtherClients others;
  for (int i = 0; i < 400; ++i) see(others, i % 2 == 0 ? 8 : 12, i * 250);
  const Instant last = at(399 * 250);
  CHECK(others.leaving_rate() > 1);
  CHECK(others.arrival_rate() > 10);
  CHECK(others.at(last + Duration::ms(200)).count == doctest::Approx(12));
  CHECK(others.at(last + Duration::seconds(4)).count == doctest::Approx(10).epsilon(0.15));
  CHECK(others.at(last + Duration::seconds(4)).spread > others.at(last).spread);
}

TEST_CASE("other clients: an old count moves a newer belief back to its time") {
  OtherClients others;
  for (int i = 0; i < 40; ++i) see(others, 10, i * 250);
  others.see(10, 10, 10, at(0), at(10'000));
  CHECK(others.seen_at() == at(0));
  CHECK(others.at(at(10'000)).count == doctest::Approx(10).epsilon(0.05));
}

TEST_CASE("other clients: a hint counts as far as nothing better is known") {
  OtherClients others;
  see(others, 10, 0);
  others.hint(40, 5, at(100));
  CHECK(others.at(at(100)).count < 12);
  for (int i = 0; i < 200; ++i) others.hint(40, 5, at(20'000 + i * 250));
  CHECK(others.at(at(70'000)).count == doctest::Approx(40).epsilon(0.1));
}

TEST_CASE("other clients: seen idle they are gone within seconds") {
  OtherClients others;
  see(others, 20, 0);
  for (int i = 1; i < 20; ++i) others.see_idle(at(i * 250));
  CHECK(others.at(at(5'000)).count < 0.5);
}

TEST_CASE("token share: a quarter of the tokens for four of ours makes twelve others") {
  TokenShare share;
  CHECK_FALSE(share.others());
  double all = 0;
  for (int i = 0; i <= 40; ++i) {
    share.page(all, 4, at(i * 250));
    share.heard(10);
    all += 40;
  }
  REQUIRE(share.others());
  CHECK(*share.others() == doctest::Approx(12).epsilon(0.05));
  share.page(0, 4, at(11'000));  // it began anew
  CHECK_FALSE(share.others());
}

TEST_CASE(
    "token share: without tokens of ours it says nothing, and fewer than ours are no others") {
  TokenShare share;
  for (int i = 0; i <= 40; ++i) share.page(i * 1000.0, 0, at(i * 250));
  CHECK_FALSE(share.others());
  for (int i = 41; i <= 400; ++i) {
    share.heard(100);
    share.page(41'000.0 + i, 4, at(i * 250));
  }
  REQUIRE(share.others());
  CHECK(*share.others() < 0.01);
}
