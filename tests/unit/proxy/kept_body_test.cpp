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
  Keeping k;
  k.disk.room = 12;
  KeptBody body = k.body();
  CHECK_FALSE(body.append("0123456789x").has_value());
  CHECK(body.append("yz") == KeptBody::Refusal::box_is_full);
  k.disk.reads_fail = true;
  std::string buffer;
  CHECK_FALSE(body.at(0, buffer).has_value());
  for (const auto refusal : {KeptBody::Refusal::body_too_large, KeptBody::Refusal::key_is_full,
                             KeptBody::Refusal::box_is_full, KeptBody::Refusal::disk_failed}) {
    const ApiError error = body_error(refusal, small());
    CHECK(error.status >= 413);
    CHECK_FALSE(error.message.empty());
  }
}
