#include "firmware/proxy/kept_body.h"

#include <doctest/doctest.h>

#include "tests/script/memory.h"

using namespace sluice;
using namespace sluice::proxy;

namespace {

BodyBounds small() { return {{100}, {10}, {15}, {60}, {80}}; }

struct Keeping {
  Keeping() { room.set_bounds(small()); }
  BodyRoom room;
  script::MemoryScratch disk;
  KeptBody body(const std::string& key = "a") { return {room, disk, key}; }
};

std::string all_of(const KeptBody& body) {
  return *ports::read_range(body, 0, static_cast<size_t>(body.size()));
}

}  // namespace

TEST_CASE("kept body: in memory while it is small, then in a file, the same bytes") {
  Keeping k;
  {
    KeptBody body = k.body();
    CHECK_FALSE(body.append("0123456789").has_value());
    CHECK(body.is_in_memory());
    CHECK(k.room.in_memory().count == 10);
    CHECK_FALSE(body.append("x").has_value());
    CHECK_FALSE(body.is_in_memory());
    CHECK(k.room.in_memory().count == 0);
    CHECK_FALSE(body.append("yz").has_value());
    CHECK(all_of(body) == "0123456789xyz");
    CHECK(k.room.kept().count == 13);
  }
  CHECK(k.room.kept().count == 0);
  CHECK(k.disk.open == 0);
}

TEST_CASE("kept body: when the memory of all is used up, small ones go to disk too") {
  Keeping k;
  KeptBody first = k.body();
  CHECK_FALSE(first.append("0123456789").has_value());
  KeptBody second = k.body();
  CHECK_FALSE(second.append("abcdef").has_value());
  CHECK_FALSE(second.is_in_memory());
  CHECK(all_of(second) == "abcdef");
}

TEST_CASE("kept body: byte by byte it goes to the file in large pieces, and reads back the same") {
  constexpr size_t kSize = 5 * KeptBody::kGatherMax + 7;
  Keeping k;
  k.room.set_bounds({{1 << 20}, {10}, {15}, {1 << 20}, {1 << 20}});
  KeptBody body = k.body();
  std::string sent;
  for (size_t i = 0; i < kSize; ++i) {
    sent += static_cast<char>('a' + i % 23);
    REQUIRE_FALSE(body.append(std::string_view(sent).substr(i)).has_value());
  }
  CHECK(k.disk.writes <= 2 * kSize / KeptBody::kGatherMax);
  CHECK(all_of(body) == sent);
  std::string buffer;
  CHECK(*body.at(kSize - 1, buffer) == sent.substr(kSize - 1));
  CHECK(body.at(kSize, buffer)->empty());
}

TEST_CASE("kept body: bounded each, per key and in all") {
  using Refusal = KeptBody::Refusal;
  Keeping k;
  KeptBody huge = k.body();
  CHECK(huge.append(std::string(101, 'x')) == Refusal::body_too_large);
  KeptBody one = k.body();
  CHECK_FALSE(one.append(std::string(50, 'x')).has_value());
  KeptBody two = k.body();
  CHECK(two.append(std::string(11, 'x')) == Refusal::key_is_full);
  CHECK_FALSE(two.append(std::string(10, 'x')).has_value());
  KeptBody other = k.body("b");
  CHECK_FALSE(other.append(std::string(20, 'x')).has_value());
  CHECK(other.append("x") == Refusal::box_is_full);
}

TEST_CASE("kept body: a full disk is the box's bound, a failing one is told as such") {
  constexpr int64_t kGathered = KeptBody::kGatherMax;
  Keeping k;
  k.room.set_bounds({{10 * kGathered}, {10}, {15}, {10 * kGathered}, {10 * kGathered}});
  k.disk.room = static_cast<size_t>(kGathered) + 12;
  KeptBody body = k.body();
  CHECK_FALSE(body.append(std::string(kGathered, 'x')).has_value());
  std::string buffer;
  CHECK(body.at(0, buffer).has_value());
  CHECK(body.append(std::string(kGathered, 'y')) == KeptBody::Refusal::box_is_full);
  k.disk.reads_fail = true;
  CHECK_FALSE(body.at(0, buffer).has_value());
  for (const auto refusal : {KeptBody::Refusal::body_too_large, KeptBody::Refusal::key_is_full,
                             KeptBody::Refusal::box_is_full, KeptBody::Refusal::disk_failed}) {
    const ApiError error = body_error(refusal, small());
    CHECK(error.status >= 413);
    CHECK_FALSE(error.message.empty());
  }
}
