#include "firmware/box/tls_identity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "drivers/os/random.h"
#include "tests/unit/settings/files_in_memory.h"

using namespace sluice;
using namespace sluice::box;

namespace {

struct NotedLog final : Log {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
};

constexpr Duration kDay = Duration::seconds(86400);

struct World {
  FilesInMemory files;
  drivers::OsSecrets secrets;
  NotedLog log;
  settings::Settings settings;
  Date now = Date::from_us(1'790'000'000'000'000);  // 2026-09-21

  World() { settings.start.state_dir = "/state"; }
  Result<CheckedIdentity> take() {
    return take_identity(settings, {files, secrets, log}, now, "gateway");
  }
  std::string chain() { return files.content["/state/tls/certificate.pem"]; }
  // An administrator's pair, good for `days` from `from` on.
  void provide(Date from, int days) {
    const auto made = ports::make_identity({{"b"}, {}, {from, from + kDay * days}}, secrets);
    REQUIRE(made.has_value());
    files.content["/etc/c.pem"] = made->chain;
    files.content["/etc/k.pem"] = made->key;
    settings.live.tls = {"/etc/c.pem", "/etc/k.pem"};
  }
};

}  // namespace

TEST_CASE("tls identity: the box's own is made once and kept") {
  World world;
  const auto first = world.take();
  REQUIRE(first.has_value());
  CHECK(first->is_own);
  CHECK(first->identity.chain == world.chain());
  CHECK(first->valid.until == world.now + kOwnCertificateLife);
  CHECK(date_warning(*first, world.now).empty());
  world.now = world.now + kDay * 700;
  const auto later = world.take();
  REQUIRE(later.has_value());
  CHECK(later->identity.key == first->identity.key);
  for (const std::string& line : world.log.lines) {
    CHECK(line.find(first->identity.key.substr(40, 20)) == std::string::npos);
  }
}

TEST_CASE(
    "tls identity: the box's own is made anew when little of it is left, or the date is before "
    "it") {
  World world;
  REQUIRE(world.take().has_value());
  const std::string first = world.chain();
  world.now = world.now + (kOwnCertificateLife - kRenewBefore + Duration::seconds(1));
  const auto renewed = world.take();
  REQUIRE(renewed.has_value());
  CHECK(world.chain() != first);
  CHECK(renewed->valid.until == world.now + kOwnCertificateLife);
  const std::string second = world.chain();
  world.now = world.now + kDay * -10;
  REQUIRE(world.take().has_value());
  CHECK(world.chain() != second);
}

TEST_CASE("tls identity: a pair that a crash left unmatched is made anew") {
  World world;
  REQUIRE(world.take().has_value());
  const auto other =
      ports::make_identity({{"b"}, {}, {world.now, world.now + kDay}}, world.secrets);
  REQUIRE(other.has_value());
  world.files.content["/state/tls/key.pem"] = other->key;
  const auto again = world.take();
  REQUIRE(again.has_value());
  CHECK(again->identity.key != other->key);
  CHECK(ports::check_identity(again->identity).has_value());
}

TEST_CASE("tls identity: the administrator's is taken as it is, and its dates are told") {
  World world;
  world.provide(world.now, 100);
  const auto good = world.take();
  REQUIRE(good.has_value());
  CHECK_FALSE(good->is_own);
  CHECK(world.files.content.count("/state/tls/key.pem") == 0);
  CHECK(date_warning(*good, world.now).empty());
  CHECK(date_warning(*good, world.now + kDay * 71)
            .starts_with(
                "/etc/c.pem: the certificate ends on 2026-12-30; put a new one there before"));
  CHECK(date_trouble(*good, world.now + kDay * 99).empty());
  CHECK(date_trouble(*good, world.now + kDay * 100)
            .starts_with("/etc/c.pem: the certificate ended on 2026-12-30: clients refuse it"));
  CHECK(date_trouble(*good, world.now + kDay * -1)
            .starts_with("/etc/c.pem: the certificate is good from 2026-09-21 only"));
}

TEST_CASE("tls identity: a file of the administrator that is missing or wrong is an error") {
  World world;
  world.provide(world.now, 100);
  world.files.content["/etc/k.pem"] = "no key";
  REQUIRE_FALSE(world.take().has_value());
  CHECK(world.take().error().kind == ErrorKind::refused);
  world.files.content.erase("/etc/k.pem");
  REQUIRE_FALSE(world.take().has_value());
  CHECK(world.take().error().kind == ErrorKind::gone);
}
