#include "firmware/box/upgrade.h"

#include <doctest/doctest.h>

#include <algorithm>
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
  OnLost lost;
  bool fails = false;
  std::vector<ports::SuccessorSpec> started;
  Result<std::unique_ptr<ports::Successor>> start(ports::SuccessorSpec spec, OnReport on_report,
                                                  OnLost on_lost) override {
    if (fails) return Error{ErrorKind::refused, "uv", "cannot start it"};
    report = std::move(on_report);
    lost = std::move(on_lost);
    started.push_back(std::move(spec));
    return std::unique_ptr<ports::Successor>(std::make_unique<Process>(*this));
  }
};

struct Stage {
  script::SimClock clock;
  script::SimTimers time{clock};
  Cast cast;
  Silent log;
  Upgrade upgrade{cast, time, log, [this] { cast.events.push_back("handed over"); },
                  [this] { cast.events.push_back("abandoned"); }};
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
  CHECK(stage.cast.events == Events{"done", "handed over"});  // neither killed nor asked to end
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
  for (const char* said : {"ready", "failed: it was told to end"}) {
    Stage stage;
    stage.upgrade.give_up();  // nothing is under way
    stage.begin();
    stage.upgrade.give_up();
    CHECK_FALSE(stage.done->has_value());
    stage.cast.report(std::string(said));
    stage.time.pass(Duration::seconds(60));
    CHECK(stage.cast.events == Events{"asked to end", "failed", "let go"});
  }
}

TEST_CASE(
    "upgrade: a new process that does not end when asked to is killed with the old one's end") {
  Stage stage;
  {
    Upgrade upgrade(
        stage.cast, stage.time, stage.log, [] {}, [] {});
    upgrade.begin({}, [](const Result<int>&) {});
    upgrade.give_up();
    stage.time.pass(Duration::seconds(60));
    CHECK(stage.cast.events == Events{"asked to end"});
  }
  CHECK(stage.cast.events == Events{"asked to end", "killed", "let go"});
}

TEST_CASE("upgrade: a new process that is lost after the handover is started again, plainly") {
  Stage s;
  s.upgrade.begin({"/bin/sluiced", {"serve"}, {"SLUICE_HANDOVER=x"}, {7}},
                  [](const Result<int>&) {});
  s.cast.report(std::string("ready"));
  s.time.settle();
  for (int time = 0; time < Upgrade::kStartsAgainMax; ++time) {
    const auto tell = s.cast.lost;
    tell({ErrorKind::gone, "uv", "it ended by signal 9"});
    CHECK(s.cast.started.size() == static_cast<size_t>(1 + time));
    s.time.pass(Upgrade::kStartAgainAfter);
    REQUIRE(s.cast.started.size() == static_cast<size_t>(2 + time));
    CHECK(s.cast.started.back().program == "/bin/sluiced");
    CHECK(s.cast.started.back().arguments == std::vector<std::string>{"serve"});
    CHECK(s.cast.started.back().environment.empty());
    CHECK(s.cast.started.back().descriptors.empty());
  }
  CHECK(std::find(s.cast.events.begin(), s.cast.events.end(), "abandoned") == s.cast.events.end());
  const auto early = s.cast.report;
  early(Error{ErrorKind::gone, "uv", "it ended with exit code 1"});
  CHECK(s.cast.events.back() == "abandoned");
  CHECK(s.cast.started.size() == static_cast<size_t>(1 + Upgrade::kStartsAgainMax));
}

TEST_CASE("upgrade: a process that is to stop does not start a lost one again") {
  Stage s;
  s.begin();
  s.cast.report(std::string("ready"));
  s.time.settle();
  s.upgrade.give_up();
  s.cast.lost({ErrorKind::gone, "uv", "it ended by signal 9"});
  s.time.pass(Duration::seconds(10));
  CHECK(s.cast.started.size() == 1);
}
