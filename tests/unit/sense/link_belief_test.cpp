#include "firmware/sense/link_belief.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;

namespace {

Instant at(int64_t ms) { return Instant::from_us(ms * 1000); }

LinkTold path(int64_t rtt_ms, double loss = 0) { return {true, "", Duration::ms(rtt_ms), loss, 0}; }

}  // namespace

TEST_CASE("link belief: a node without a watched path is never held back") {
  const LinkBelief link;
  CHECK(link.carries());
  CHECK(link.extra().is_zero());
  CHECK_FALSE(link.broke_since(at(0)));
  CHECK(link.us_per_token() == 0);
}

TEST_CASE("link belief: what the path was when TTFT was learnt is in it, what it became is added") {
  LinkBelief link;
  link.tell(path(20), at(0));
  CHECK(link.extra().is_zero());
  link.tell(path(120), at(100));
  CHECK(link.extra() == Duration::ms(100));
  for (int i = 0; i < 100; ++i) link.first_token();
  CHECK(link.extra() < Duration::ms(1));
  link.tell(path(20), at(200));
  CHECK(link.extra().is_zero());  // never a promise of more than was seen
}

TEST_CASE("link belief: loss costs what a retransmission takes") {
  LinkBelief link;
  link.tell(path(50), at(0));
  link.tell(path(50, 0.1), at(1));
  CHECK(link.extra() == Duration::ms(25));
}

TEST_CASE("link belief: a path that carries nothing says why, and is remembered to have broken") {
  LinkBelief link;
  link.tell(path(20), at(0));
  link.tell({false, "no answer on wan1", Duration::ms(20), 0, 0}, at(1000));
  CHECK_FALSE(link.carries());
  CHECK(link.why() == "no answer on wan1");
  link.tell(path(20), at(1300));
  CHECK(link.carries());
  CHECK(link.why().empty());
  CHECK(link.broke_since(at(900)));
  CHECK(link.broke_since(at(1300)));
  CHECK_FALSE(link.broke_since(at(1301)));
  link.clear();
  CHECK(link.carries());
}

TEST_CASE("link belief: a narrow uplink makes long prompts late") {
  LinkBelief link;
  LinkTold told = path(20);
  told.rate_bits_s = 320000;
  link.tell(told, at(0));
  CHECK(link.us_per_token() == doctest::Approx(100));
}
