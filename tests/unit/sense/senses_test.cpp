#include "firmware/sense/senses.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::sense;

namespace {

constexpr Duration kTpot = Duration::ms(80);

Instant at(int64_t ms) { return Instant::from_us(ms * 1000); }

NodeProfile profile(const std::string& name, const std::string& model = "chat") {
  NodeProfile made;
  made.name = name;
  made.models = {{model, model}};
  made.untried_concurrency = 4;
  return made;
}

Result<void> configure(Senses& senses, const std::vector<NodeProfile>& profiles) {
  return senses.configure(profiles, SenseTimes(), valve::Policy(), kTpot);
}

std::vector<std::string> names_of(const valve::View& view) {
  std::vector<std::string> names;
  for (const valve::NodeView& node : view.nodes) names.push_back(node.name);
  return names;
}

using Names = std::vector<std::string>;

valve::Plan plan(bool overflowing) {
  valve::Plan made;
  made.overflowing = overflowing;
  return made;
}

}  // namespace

TEST_CASE("senses: ids stay when settings change, and a node that left ends what it began") {
  Senses senses;
  REQUIRE(configure(senses, {profile("a"), profile("b")}).has_value());
  CHECK(senses.find("a")->id().index == 0);
  CHECK(senses.find("b")->id().index == 1);
  CHECK(senses.find("c") == nullptr);
  senses.find("a")->reserve({7, {10}, kTpot, true}, at(0));
  REQUIRE(configure(senses, {profile("c"), profile("b")}).has_value());
  CHECK(senses.find("b")->id().index == 1);
  CHECK(senses.find("c")->id().index == 2);
  CHECK(senses.is_retired({0}));
  CHECK_FALSE(senses.is_retired({1}));
  CHECK(names_of(senses.view("chat", 0, at(1))) == Names{"b", "c"});
  CHECK_FALSE(senses.serving("chat").has({0}));
  CHECK(senses.reports(at(1)).size() == 2);
  senses.node({0}).end(7, {}, at(2));
  CHECK(senses.node({0}).in_flight() == 0);
  REQUIRE(configure(senses, {profile("a")}).has_value());
  CHECK(senses.find("a")->id().index == 0);
  CHECK_FALSE(senses.is_retired({0}));
  CHECK_MESSAGE(senses.find("a")->ended_count() == 1, "what was learned is kept");
}

TEST_CASE("senses: a view holds the nodes that serve the model, by id") {
  Senses senses;
  NodeProfile off = profile("off");
  off.enabled = false;
  REQUIRE(configure(senses, {profile("a"), profile("x", "embed"), off, profile("b")}).has_value());
  const valve::View view = senses.view("chat", 5, at(9));
  CHECK(names_of(view) == Names{"a", "b"});
  CHECK(view.held == 5);
  CHECK(view.now == at(9));
  CHECK(view.nodes[1].id.index == 3);
  CHECK(senses.view("nobody", 0, at(9)).nodes.empty());
  CHECK(senses.models() == Names{"chat", "embed"});
  CHECK(senses.serving("embed").size() == 1);
}

TEST_CASE("senses: the valve's state is remembered for each model") {
  Senses senses;
  REQUIRE(configure(senses, {profile("a"), profile("b", "embed")}).has_value());
  CHECK_FALSE(senses.view("chat", 0, at(0)).overflowing);
  CHECK_FALSE(senses.is_overflowing(Instant()));
  senses.decided("chat", plan(true), Instant());
  CHECK(senses.view("chat", 0, at(0)).overflowing);
  CHECK_FALSE(senses.view("embed", 0, at(0)).overflowing);
  senses.decided("embed", plan(false), Instant());
  CHECK(senses.is_overflowing(Instant()));
  // A box that nobody asks any more does not overflow.
  CHECK_FALSE(senses.is_overflowing(Instant() + Duration::seconds(3600)));
  senses.decided("chat", plan(false), Instant());
  CHECK_FALSE(senses.is_overflowing(Instant()));
}

TEST_CASE("senses: sixty-four names in a lifetime, and no change if there are more") {
  Senses senses;
  std::vector<NodeProfile> many;
  for (int i = 0; i < valve::kNodesMax; ++i) many.push_back(profile("n" + std::to_string(i)));
  REQUIRE(configure(senses, many).has_value());
  CHECK(senses.find("n63")->id().index == 63);
  const auto refused = configure(senses, {profile("n0"), profile("new")});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == ErrorKind::refused);
  CHECK(senses.find("new") == nullptr);
  CHECK(senses.reports(at(0)).size() == 64);
  CHECK(configure(senses, {profile("n5")}).has_value());
  CHECK(names_of(senses.view("chat", 0, at(0))) == Names{"n5"});
}

TEST_CASE("senses: a report says how a node is, its line and what runs there") {
  Senses senses;
  NodeProfile off = profile("off");
  off.enabled = false;
  off.place = valve::Place::cloud;
  NodeProfile gpu = profile("gpu");
  gpu.engine = "vllm";
  REQUIRE(configure(senses, {gpu, off}).has_value());
  NodeState& node = *senses.find("gpu");
  node.health(true, "", at(0));
  EngineReading reading;
  reading.running = 3;
  reading.waiting = 1;
  reading.kv_usage = 0.25;
  node.read(reading, at(0));
  node.reserve({1, {10}, kTpot, true}, at(0));
  node.first_token(1, at(40));
  for (int i = 1; i <= 60; ++i) node.tokens(1, 1, at(40 + 20 * i));
  senses.learn(at(1300));
  const std::vector<NodeReport> reports = senses.reports(at(1300));
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].name == "gpu");
  CHECK(reports[0].engine == "vllm");
  CHECK(reports[0].health == valve::Health::up);
  CHECK(reports[0].why.empty());
  CHECK(reports[0].in_flight == 1);
  CHECK(reports[0].line >= 4);
  CHECK(reports[0].running == 3.0);
  CHECK(reports[0].waiting == 1.0);
  CHECK(reports[0].kv_usage == 0.25);
  CHECK(*reports[0].queue_running.value + *reports[0].queue_waiting.value ==
        doctest::Approx(reports[0].in_flight + reports[0].queue_others));
  CHECK(reports[0].queue_others == doctest::Approx(4).epsilon(0.2));
  CHECK(reports[0].queue_age == Duration::ms(1300));
  CHECK(reports[0].ttft_p50 == Duration::ms(40));
  CHECK(reports[0].reading_age == Duration::ms(1300));
  CHECK(reports[0].models == Names{"chat"});
  CHECK(reports[1].place == valve::Place::cloud);
  CHECK_FALSE(reports[1].enabled);
  CHECK(reports[1].why == "disabled in the settings");
  CHECK(reports[1].health == valve::Health::down);
}
