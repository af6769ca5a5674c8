// Rulesets brought to what is wanted, one program at a time.
#include "firmware/tunnel/rule_keeper.h"

#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

struct Scene {
  script::SimClock clock;
  script::SimTimers timers{clock};
  LogLines log;
  ModelPrograms programs{clock, timers};
  RuleKeeper rules{programs, clock, log};

  void want(const std::string& subject, const std::string& text, bool harmless = false) {
    rules.want(subject, "nft", {"--file", "-"}, text, harmless);
  }
  std::vector<std::string> inputs() const {
    std::vector<std::string> out;
    for (const auto& run : programs.runs) out.push_back(run.input);
    return out;
  }
  void fail_all() {
    programs.answers =
        [](const ports::ProgramSpec& spec) -> std::optional<Result<ports::ProgramEnd>> {
      return ports::ProgramEnd{1, "", "bad " + spec.input};
    };
  }
  void tick(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      timers.pass(Duration::seconds(1));
      rules.poll();
    }
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("rule keeper: one program at a time, and what is wanted meanwhile replaces what waits") {
  Scene scene;
  scene.want("a", "a1");
  scene.want("b", "b1");
  scene.want("b", "b2");
  scene.want("a", "a2");
  CHECK(scene.inputs() == Texts{"a1"});
  CHECK_FALSE(scene.rules.is_applied("a"));
  scene.timers.pass(Duration::seconds(1));
  CHECK(scene.inputs() == Texts{"a1", "a2", "b2"});
  CHECK(scene.rules.is_applied("a"));
  CHECK(scene.rules.is_applied("b"));
  CHECK(scene.programs.destroyed_inside == 0);
  scene.want("a", "a2");
  scene.tick(20);
  CHECK(scene.programs.runs.size() == 3);
  scene.rules.forget("a");
  scene.want("a", "a2");
  scene.tick(1);
  CHECK(scene.inputs().back() == "a2");
  CHECK(scene.programs.runs.size() == 4);
}

TEST_CASE("rule keeper: the trouble of one is not cleared by another, and each is said once") {
  Scene scene;
  scene.fail_all();
  scene.want("a", "a1");
  scene.want("b", "b1");
  scene.tick(30);
  CHECK(scene.log.count("bad a1") == 1);
  CHECK(scene.log.count("bad b1") == 1);
  CHECK(scene.programs.runs.size() >= 10);
  CHECK(scene.programs.runs.size() <= 14);  // each every 5 s
  scene.programs.answers =
      [](const ports::ProgramSpec& spec) -> std::optional<Result<ports::ProgramEnd>> {
    if (spec.input == "b1") return std::nullopt;
    return Error{ErrorKind::unsupported, "model", "there is no nft"};
  };
  scene.tick(6);
  CHECK(scene.rules.is_applied("b"));
  CHECK(scene.rules.trouble().find("a: there is no nft") != std::string::npos);
  scene.programs.answers = nullptr;
  scene.tick(6);
  CHECK(scene.rules.trouble().empty());
}

TEST_CASE("rule keeper: a removal that finds nothing to remove has done its work") {
  Scene scene;
  scene.fail_all();
  scene.want("a", "removal", true);
  scene.tick(30);
  CHECK(scene.programs.runs.size() == 1);
  CHECK(scene.rules.trouble().empty());
}

TEST_CASE("rule keeper: what is kept no more is not tried again, also while it runs") {
  Scene scene;
  scene.fail_all();
  scene.want("queue 1", "q1");
  scene.want("queue 2", "q2");
  scene.want("belt", "b");
  scene.rules.keep_only("queue ", {"queue 2"});
  scene.tick(1);
  CHECK(scene.inputs() == Texts{"q1", "b", "q2"});
  scene.rules.keep_only("queue ", {});
  scene.tick(30);
  CHECK(scene.programs.count("q1") == 1);
  CHECK(scene.programs.count("q2") == 1);
  CHECK(scene.programs.count("b") >= 5);
  CHECK(scene.rules.trouble().find("belt") == 0);
}
