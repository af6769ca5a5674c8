#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "drivers/os/calendar.h"
#include "drivers/os/descriptors.h"
#include "drivers/os/environment.h"
#include "drivers/os/random.h"

using namespace sluice;
using namespace sluice::drivers;

TEST_CASE("random: the same seed and name repeat, another of either differs") {
  OsRandomStreams one(7);
  OsRandomStreams same(7);
  OsRandomStreams other(8);
  const auto first = one.stream("valve");
  const auto distraction = one.stream("retry");
  const auto second = same.stream("valve");
  const auto foreign = other.stream("valve");
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = first->next();
    CHECK(value == second->next());
    CHECK(value != foreign->next());
    CHECK(value != distraction->next());
  }
}

TEST_CASE("random: xoshiro256** begins with splitmix64's words") {
  // With seed 0, splitmix64 gives e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f
  // f88bb8a8724c81ec (known answers), so the first output is rotl(second * 5, 7) * 9.
  const uint64_t product = uint64_t{0x6e789e6aa1b965f4} * 5;
  SeededRandom random(0);
  CHECK(random.next() == ((product << 7) | (product >> 57)) * 9);
}

TEST_CASE("random: every bit is set about half of the time") {
  SeededRandom random(1);
  std::array<int, 64> ones = {};
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t value = random.next();
    for (size_t bit = 0; bit < 64; ++bit) ones[bit] += static_cast<int>((value >> bit) & 1);
  }
  for (const int count : ones) {
    CHECK(count > kDraws / 2 - 500);
    CHECK(count < kDraws / 2 + 500);
  }
}

TEST_CASE("secrets: as many bytes as asked, never the same") {
  OsSecrets secrets;
  CHECK(secrets.bytes(0).empty());
  CHECK(secrets.bytes(1000).size() == 1000);
  CHECK(secrets.bytes(32) != secrets.bytes(32));
  CHECK(system_seed() != system_seed());
}

TEST_CASE("calendar: the system's date") {
  const int64_t before = std::time(nullptr);
  const Date now = OsCalendar().now();
  CHECK(now.as_seconds() >= before - 1);
  CHECK(now.as_seconds() <= std::time(nullptr) + 1);
}

TEST_CASE("environment: set, empty and absent are three things") {
  REQUIRE(::setenv("SLUICE_TEST_SET", "value", 1) == 0);
  REQUIRE(::setenv("SLUICE_TEST_EMPTY", "", 1) == 0);
  ::unsetenv("SLUICE_TEST_ABSENT");
  CHECK(environment("SLUICE_TEST_SET") == "value");
  CHECK(environment("SLUICE_TEST_EMPTY") == "");
  CHECK_FALSE(environment("SLUICE_TEST_ABSENT").has_value());
}

TEST_CASE("descriptors: the soft limit is raised to the hard one") {
  rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const auto raised = raise_descriptor_limit();
  REQUIRE(raised);
  rlimit after = {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
  CHECK(after.rlim_cur == before.rlim_max);
  CHECK(static_cast<rlim_t>(*raised) == after.rlim_cur);
}

TEST_CASE("descriptors: opened ones are counted, the count itself is not") {
  const auto before = open_descriptors();
  REQUIRE(before.has_value());
  std::array<int, 5> opened = {};
  for (int& descriptor : opened) descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(open_descriptors() == *before + 5);
  for (const int descriptor : opened) ::close(descriptor);
  CHECK(open_descriptors() == *before);
}

TEST_CASE("memory: touched pages show up") {
  const auto before = resident_memory();
  REQUIRE(before.has_value());
  CHECK(before->count > 100 * 1024);
  std::vector<char> block(64 << 20, 'x');
  CHECK(block[12345] == 'x');
  CHECK(resident_memory()->count > before->count + (32 << 20));
}
