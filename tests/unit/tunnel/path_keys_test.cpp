// Keys are rotated one at a time, and never under traffic that could go elsewhere.
#include "firmware/tunnel/path_keys.h"

#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

constexpr Date kMade = Date::from_us(1'790'000'000'000'000);

std::vector<PathView> views(const std::vector<PathState>& states) {
  std::vector<PathView> out;
  for (size_t i = 0; i < states.size(); ++i) {
    PathView view;
    view.number = static_cast<int>(i);
    view.state = states[i];
    out.push_back(view);
  }
  return out;
}

}  // namespace

TEST_CASE("path keys: the public key of a known private one is RFC 7748's") {
  // RFC 7748, 6.1: Alice's pair.
  const ports::WgKey alice = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
                              0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
                              0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
  CHECK(ports::wg_key_text(public_key_of(ports::WgSecret(alice))) ==
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
}

TEST_CASE("path keys: a made key is clamped and another each time") {
  CountedSecrets secrets;
  const auto one = make_private_key(secrets);
  const auto two = make_private_key(secrets);
  CHECK((one.reveal()[0] & 7) == 0);
  CHECK((one.reveal()[31] & 0xc0) == 0x40);
  CHECK_FALSE(one == two);
  CHECK(make_id(secrets).size() == 16);
}

TEST_CASE("path keys: nothing is due before its life has passed, nor with a clock set back") {
  const Membership membership = member();
  const auto good = views({PathState::good, PathState::good, PathState::good, PathState::good});
  CHECK_FALSE(rotation_due(membership, good, {0}, {}, kMade + (kKeyLife - Duration::seconds(1))));
  CHECK_FALSE(rotation_due(membership, good, {0}, {}, Date::from_us(0)));
  CHECK(rotation_due(membership, good, {0}, {}, kMade + kKeyLife).has_value());
  CHECK_FALSE(rotation_due(membership, good, {0}, {Duration(), {}}, kMade + kKeyLife * 9));
}

TEST_CASE("path keys: a key made by a date that was ahead is changed when a person asks") {
  Membership membership = member();
  for (MemberPath& path : membership.paths) path.key_made = kMade + kKeyLife * 100;
  const auto good = views({PathState::good, PathState::good, PathState::good, PathState::good});
  CHECK_FALSE(rotation_due(membership, good, {0}, {}, kMade));
  const RotationWish asked{kKeyLife, kMade};
  for (int turn = 0; turn < 4; ++turn) {
    const auto due = rotation_due(membership, good, {}, asked, kMade + Duration::seconds(turn));
    REQUIRE(due);
    for (MemberPath& path : membership.paths) {
      if (path.name == due->path) path.key_made = kMade + Duration::seconds(turn);
    }
  }
  CHECK_FALSE(rotation_due(membership, good, {}, asked, kMade + Duration::seconds(5)));
}

TEST_CASE("path keys: a key made by a date that was ahead is due when the date is certain") {
  Membership membership = member();
  for (MemberPath& path : membership.paths) path.key_made = kMade + kKeyLifeLeast;
  RotationWish wish;
  CHECK_FALSE(rotation_due(membership, {}, {}, wish, kMade));
  wish.date_is_certain = true;
  CHECK(rotation_due(membership, {}, {}, wish, kMade).has_value());
  CHECK_FALSE(rotation_due(membership, {}, {}, wish, kMade + Duration::seconds(1)));
  wish.life = Duration();
  CHECK_FALSE(rotation_due(membership, {}, {}, wish, kMade));
}

TEST_CASE("path keys: those without traffic first, the oldest of them, then traffic moves first") {
  Membership membership = member();
  membership.paths[2].key_made = kMade + Duration::seconds(-5);
  const auto good = views({PathState::good, PathState::good, PathState::good, PathState::good});
  const Date now = kMade + kKeyLife;
  auto due = rotation_due(membership, good, {0}, {}, now);
  REQUIRE(due);
  CHECK(due->path == membership.paths[2].name);
  CHECK_FALSE(due->traffic_first);
  for (size_t i = 1; i < 4; ++i) membership.paths[i].key_made = now;
  due = rotation_due(membership, good, {0}, {}, now);
  REQUIRE(due);
  CHECK(due->path == membership.paths[0].name);
  CHECK(due->traffic_first);
}

TEST_CASE("path keys: two paths that carry a class each relieve one another") {
  Membership membership = member();
  for (size_t i = 2; i < 4; ++i) membership.paths[i].lane.reset();
  const auto both = views({PathState::good, PathState::good});
  const auto due = rotation_due(membership, both, {0, 1}, {}, kMade + kKeyLife);
  REQUIRE(due);
  CHECK(due->traffic_first);
}

TEST_CASE("path keys: the only good path waits, but not for ever, and not when a person asks") {
  Membership membership = member();
  for (size_t i = 1; i < 4; ++i) membership.paths[i].lane.reset();
  const auto alone = views({PathState::good, PathState::dead});
  CHECK_FALSE(rotation_due(membership, alone, {0}, {}, kMade + kKeyLife));
  const auto late = rotation_due(membership, alone, {0}, {}, kMade + kKeyLife * 2);
  REQUIRE(late);
  CHECK_FALSE(late->traffic_first);
  const Date asked = kMade + Duration::seconds(100);
  CHECK_FALSE(rotation_due(membership, alone, {0}, {kKeyLife, asked}, asked));
  CHECK(rotation_due(membership, alone, {0}, {kKeyLife, asked}, asked + kAskedWait).has_value());
}

TEST_CASE("path keys: an interrupted rotation comes first and keeps its key") {
  Membership membership = member();
  CountedSecrets secrets;
  begin_rotation(membership.paths[3], secrets);
  const auto next = *membership.paths[3].next;
  begin_rotation(membership.paths[3], secrets);
  CHECK(*membership.paths[3].next == next);
  const auto due = rotation_due(membership, {}, {3}, {}, kMade);
  REQUIRE(due);
  CHECK(due->path == membership.paths[3].name);
  Lane lane = *membership.paths[3].lane;
  lane.port = 7;
  finish_rotation(membership.paths[3], lane, kMade + Duration::seconds(9));
  CHECK(membership.paths[3].private_key == next);
  CHECK_FALSE(membership.paths[3].next.has_value());
  CHECK(membership.paths[3].lane->port == 7);
  CHECK(membership.paths[3].key_made == kMade + Duration::seconds(9));
}
