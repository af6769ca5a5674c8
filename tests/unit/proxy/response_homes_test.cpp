#include "firmware/proxy/response_homes.h"

#include <doctest/doctest.h>

#include <string>

namespace sluice::proxy {

namespace {

constexpr Instant kNow = Instant() + Duration::seconds(10);

}  // namespace

TEST_CASE("response homes: an id leads to its node, for its own key only") {
  ResponseHomes homes;
  homes.learn("k-1", "resp_1", {3}, kNow);
  CHECK(homes.find("k-1", "resp_1", kNow) == valve::NodeId{3});
  CHECK_FALSE(homes.find("k-2", "resp_1", kNow));
  CHECK_FALSE(homes.find("k-1", "resp_2", kNow));
  homes.learn("k-1", "resp_1", {4}, kNow);
  CHECK(homes.find("k-1", "resp_1", kNow) == valve::NodeId{4});
  CHECK(homes.size() == 1);
}

TEST_CASE("response homes: the longest unused is forgotten first") {
  ResponseHomes homes;
  for (size_t i = 0; i < ResponseHomes::kKeptMax; ++i) {
    homes.learn("k", std::to_string(i), {1}, kNow);
  }
  CHECK(homes.find("k", "0", kNow));  // used again
  homes.learn("k", "one more", {1}, kNow);
  CHECK(homes.size() == ResponseHomes::kKeptMax);
  CHECK(homes.find("k", "0", kNow));
  CHECK_FALSE(homes.find("k", "1", kNow));
  CHECK(homes.find("k", "2", kNow));
}

TEST_CASE("response homes: what is too old is forgotten, what is too long never kept") {
  ResponseHomes homes;
  homes.learn("k", "old", {1}, kNow);
  homes.learn("k", std::string(ResponseHomes::kIdMax + 1, 'x'), {1}, kNow);
  homes.learn("k", "", {1}, kNow);
  CHECK(homes.size() == 1);
  CHECK(homes.find("k", "old", kNow + ResponseHomes::kAgeMax));
  CHECK_FALSE(homes.find("k", "old",
                         kNow + ResponseHomes::kAgeMax + ResponseHomes::kAgeMax + Duration::us(1)));
  CHECK(homes.size() == 0);
}

}  // namespace sluice::proxy
