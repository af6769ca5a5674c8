#include "firmware/box/upgrade.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "tests/script/sim_time.h"

using namespace sluice;
using namespace sluice::box;

namespace {

struct Silent final : Log {
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

struct Cast final : ports::Successors {
  struct Process final : ports::Successor {
    explicit Process(Cast& all) : cast(all) {}
    ~Process() override { cast.events.push_back("let go"); }
    int pid() const override { return 77; }
    void ask_to_end() override { cast.events.push_back("asked to end"); }
    void kill() override { cast.events.push_back("killed"); }
    Cast& cast;
  };
  std::vector<std::string> events;
  OnReport report;
  bool fails = false;
  Result<std::unique_ptr<ports::Successor>> start(ports::SuccessorSpec,
                                                  OnReport on_report) override {
    if (fails) return Error{ErrorKind::refused, "uv", "cannot start it"};
    report = std::move(on_report);
    return std::unique_ptr<ports::Successor>(std::make_unique<Process>(*this));
  }
};

struct Stage {
  script::SimClock clock;
  script::SimTimers time{clock};
  Cast cast;
  Silent log;
  Upgrade upgrade{cast, time, log, [this] { cast.events.push_back("handed over"); }};
  std::optional<Result<int>> done;
  void begin() {
    done.reset();
    upgrade.begin({}, [this](const Result<int>& result) {
      done = result;
      cast.events.push_back(result ? "done" : "failed");
    });
  }
};

using Events = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "upgrade: who asked hears of it before this process gives way, and the new one lives on") {
  Stage stage;
  stage.begin();
  CHECK_FALSE(stage.done.has_value());
  stage.cast.report(std::string("ready"));
  REQUIRE(stage.done.has_value());
  CHECK(stage.done->value() == 77);
  stage.time.pass(Duration::seconds(60));
  CHECK(stage.cast.events == Events{"done", "handed over", "let go"});
}

TEST_CASE(
    "upgrade: a new process that says why, or that ends, is a failure and can be tried again") {
  Stage stage;
  stage.begin();
  stage.cast.report(std::string("failed: the file is bad"));
  REQUIRE(stage.done.has_value());
  CHECK(stage.done->error().text.find("the file is bad") != std::string::npos);
  stage.time.pass(Duration::seconds(1));
  stage.begin();
  stage.cast.report(Error{ErrorKind::gone, "uv", "it ended by signal 11"});
  CHECK(stage.done->error().text.find("signal 11") != std::string::npos);
  stage.time.pass(Duration::seconds(1));
  CHECK(stage.cast.events == Events{"killed", "failed", "let go", "killed", "failed", "let go"});
  stage.cast.fails = true;
  stage.begin();
  CHECK(stage.done->error().text == "cannot start it");
  stage.cast.fails = false;
  stage.begin();
  stage.cast.report(std::string("ready"));
  CHECK(stage.done->has_value());
}

TEST_CASE(
    "upgrade: a new process that is not ready in time is ended, and what it says then is late") {
  Stage stage;
  stage.begin();
  stage.time.pass(Upgrade::kReadyMax - Duration::ms(1));
  CHECK_FALSE(stage.done.has_value());
  stage.time.pass(Duration::ms(1));
  REQUIRE(stage.done.has_value());
  CHECK(stage.done->error().text.find("30 s") != std::string::npos);
  stage.cast.report(std::string("ready"));
  stage.time.pass(Duration::seconds(1));
  CHECK(stage.cast.events == Events{"killed", "failed", "let go"});
}

TEST_CASE("upgrade: only one at a time") {
  Stage stage;
  stage.begin();
  std::optional<Result<int>> second;
  stage.upgrade.begin({}, [&](const Result<int>& result) { second = result; });
  REQUIRE(second.has_value());
  CHECK(second->error().kind == ErrorKind::busy);
  stage.cast.report(std::string("ready"));
  CHECK(stage.done->has_value());
}

TEST_CASE("upgrade: when the box stops meanwhile the new process is asked to end, not killed") {
  Stage stage;
  stage.upgrade.give_up();  // nothing is under way
  stage.begin();
  stage.upgrade.give_up();
  CHECK_FALSE(stage.done->has_value());
  stage.time.pass(Duration::seconds(60));
  CHECK(stage.cast.events == Events{"asked to end", "failed", "let go"});
}
