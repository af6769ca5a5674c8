#include "drivers/uv/names.h"

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

struct Asker : World {
  UvNames names{loop, timers};
  std::optional<Result<std::vector<IpAddress>>> answer;
  std::unique_ptr<ports::NameQuery> query;
  void ask(const std::string& host) {
    answer.reset();
    query = names.resolve(host, [this](Result<std::vector<IpAddress>> told) {
      answer = std::move(told);
      query.reset();
      stop();
    });
    CHECK_FALSE(answer.has_value());
    run();
    REQUIRE(answer.has_value());
  }
};

}  // namespace

TEST_CASE("names: a number is itself, a name has its addresses, each once") {
  Asker asker;
  asker.ask("192.0.2.1");
  REQUIRE(*asker.answer);
  CHECK(asker.answer->value() == std::vector<IpAddress>{*IpAddress::parse("192.0.2.1")});
  asker.ask("2001:db8::1");
  REQUIRE(*asker.answer);
  CHECK(asker.answer->value() == std::vector<IpAddress>{*IpAddress::parse("2001:db8::1")});
  asker.ask("localhost");
  REQUIRE(*asker.answer);
  for (const IpAddress& address : asker.answer->value()) CHECK(address.is_loopback());
  CHECK(asker.answer->value().size() >= 1);
  CHECK(asker.answer->value().size() <= 2);
}

TEST_CASE("names: what is no name is gone, without asking anybody") {
  Asker asker;
  for (const std::string& host : {std::string(), std::string(256, 'a'), std::string("a\0b", 3)}) {
    asker.ask(host);
    REQUIRE_FALSE(*asker.answer);
    CHECK(asker.answer->error().kind == ErrorKind::gone);
  }
}

TEST_CASE("names: a query that is given up is never answered") {
  Asker asker;
  bool answered = false;
  auto query = asker.names.resolve("localhost", [&](auto) { answered = true; });
  query.reset();
  asker.settle();
  CHECK_FALSE(answered);
}
