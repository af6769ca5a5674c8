#include "firmware/sense/node_state.h"

#include <doctest/doctest.h>

#include <limits>

using namespace sluice;
using namespace sluice::sense;
using valve::Health;

namespace {

Instant at(int64_t ms) { return Instant::from_us(1'000'000'000 + ms * 1000); }

NodeProfile profile() {
  NodeProfile made;
  made.name = "gpu";
  made.models = {{"chat", "Qwen/Qwen3-8B"}, {"chat-long", "Qwen/Qwen3-8B"}};
  made.untried_concurrency = 8;
  made.price_in_nano = 1;
  made.price_out_nano = 2;
  made.carbon_ug_per_token = 3;
  return made;
}

NodeState node_with(NodeProfile made) { return NodeState({3}, std::move(made), SenseTimes()); }
NodeState node() { return node_with(profile()); }

Flight flight(uint64_t id, int64_t prompt = 100, int64_t tpot_ms = 80, bool streamed = true) {
  return {id, {prompt}, Duration::ms(tpot_ms), streamed};
}

FlightResult ended(FlightEnd end, std::string why = "") {
  FlightResult result;
  result.end = end;
  result.why = std::move(why);
  return result;
}

EngineReading reading(double running, double waiting = 0) {
  EngineReading made;
  made.running = running;
  made.waiting = waiting;
  return made;
}

// One streamed request with a token every `gap_ms`.
void stream(NodeState& node, uint64_t id, int64_t from_ms, int tokens, int64_t gap_ms) {
  node.reserve(flight(id), at(from_ms));
  int64_t now = from_ms + 50;
  node.first_token(id, at(now));
  for (int i = 1; i < tokens; ++i) node.tokens(id, 1, at(now += gap_ms));
  node.end(id, ended(FlightEnd::served), at(now));
}

}  // namespace

TEST_CASE("node state: a reservation counts at once, and until its end") {
  NodeState gpu = node();
  CHECK(gpu.view(at(0)).in_flight == 0);
  CHECK(gpu.view(at(0)).strictest_tpot.is_zero());
  gpu.reserve(flight(1, 100, 80), at(0));
  gpu.reserve(flight(2, 900, 40), at(0));
  const valve::NodeView view = gpu.view(at(0));
  CHECK(view.in_flight == 2);
  CHECK(view.prefill_backlog.count == 1000);
  CHECK(view.strictest_tpot == Duration::ms(40));
  gpu.first_token(2, at(50));
  CHECK(gpu.view(at(50)).prefill_backlog.count == 100);
  gpu.first_token(2, at(60));  // told twice: counted once
  CHECK(gpu.view(at(60)).prefill_backlog.count == 100);
  gpu.end(2, ended(FlightEnd::served), at(100));
  CHECK(gpu.view(at(100)).in_flight == 1);
  CHECK(gpu.view(at(100)).strictest_tpot == Duration::ms(80));
  gpu.end(1, ended(FlightEnd::cancelled), at(100));
  CHECK(gpu.view(at(100)).in_flight == 0);
  CHECK(gpu.view(at(100)).prefill_backlog.count == 0);
  CHECK(gpu.ended_count() == 2);
}

TEST_CASE("node state: what settings say is in the view") {
  const valve::NodeView view = node().view(at(0));
  CHECK(view.id.index == 3);
  CHECK(view.name == "gpu");
  CHECK(view.untried_concurrency == 8);
  CHECK(view.price_in_nano == 1);
  CHECK(view.price_out_nano == 2);
  CHECK(view.carbon_ug_per_token == 3);
  CHECK(view.health == Health::unknown);
  CHECK(view.kv_usage < 0);
}

TEST_CASE("node state: the rate of a stream is learned gap by gap") {
  NodeState gpu = node();
  stream(gpu, 1, 0, 41, 25);
  CHECK_MESSAGE(gpu.view(at(2000)).tpot.empty(), "a view copies what was learned last");
  gpu.learn(at(2000));
  const valve::NodeView view = gpu.view(at(2000));
  REQUIRE(view.tpot.size() == 1);
  CHECK(view.tpot[0] == valve::TpotPoint{1, Duration::ms(25)});
  CHECK(view.residence == Duration::ms(1050));
  CHECK(gpu.tpot_p50(at(2000)) == Duration::ms(25));
  CHECK(gpu.ttft_p50(at(2000)) == Duration::ms(50));
  CHECK(view.ttft_base == Duration::ms(50));
  CHECK_FALSE(gpu.tpot_p50(at(30000)).has_value());
}

TEST_CASE("node state: several tokens at once are that many gaps") {
  NodeState gpu = node();
  gpu.reserve(flight(1), at(0));
  gpu.tokens(1, 5, at(10));  // before the first token: nothing to measure from
  gpu.first_token(1, at(50));
  gpu.tokens(1, 40, at(50 + 40 * 30));
  gpu.tokens(1, 0, at(9000));
  gpu.end(1, ended(FlightEnd::served), at(9000));
  gpu.learn(at(9000));
  const auto points = gpu.view(at(9000)).tpot;
  REQUIRE(points.size() == 1);
  CHECK(points[0].tpot == Duration::ms(30));
}

TEST_CASE("node state: an answer in one piece tells a rate if it is long enough") {
  NodeState gpu = node();
  FlightResult whole = ended(FlightEnd::served);
  whole.streamed = false;
  whole.output = {7};
  gpu.reserve(flight(1, 100, 80, false), at(0));
  gpu.end(1, whole, at(1000));
  CHECK_FALSE(gpu.tpot_p50(at(1000)).has_value());
  whole.output = {100};
  gpu.reserve(flight(2, 100, 80, false), at(1000));
  gpu.end(2, whole, at(3000));
  CHECK(gpu.tpot_p50(at(3000)) == Duration::ms(20));
  gpu.learn(at(3000));
  CHECK(gpu.view(at(3000)).tpot.size() == 1);
}

TEST_CASE("node state: the prompt of an answer in one piece leaves the backlog when it is due") {
  NodeState gpu = node();
  for (uint64_t id = 1; id <= 30; ++id) {  // 50 ms and 0.1 ms a token
    const int64_t from = static_cast<int64_t>(id) * 1000;
    const int64_t tokens = static_cast<int64_t>(id) * 100;
    gpu.reserve(flight(id, tokens), at(from));
    gpu.first_token(id, at(from) + Duration::us(50000 + 100 * tokens));
    gpu.end(id, ended(FlightEnd::served), at(from + 900));
  }
  gpu.learn(at(40000));
  CHECK(gpu.view(at(40000)).prefill_us_per_token == doctest::Approx(100).epsilon(0.01));
  gpu.reserve(flight(100, 2000, 80, false), at(40000));
  gpu.learn(at(40240));
  CHECK(gpu.view(at(40240)).prefill_backlog.count == 2000);
  gpu.learn(at(40260));
  CHECK(gpu.view(at(40260)).prefill_backlog.count == 0);
  CHECK(gpu.view(at(40260)).in_flight == 1);
  gpu.end(100, ended(FlightEnd::failed, "cut"), at(41000));
  CHECK_MESSAGE(gpu.view(at(41000)).prefill_backlog.count == 0, "it leaves once");
}

TEST_CASE("node state: what the engine runs beyond ours are others, until the lease ends") {
  NodeState gpu = node();
  gpu.reserve(flight(1), at(0));
  gpu.reserve(flight(2), at(0));
  EngineReading page = reading(5, 2);
  page.kv_usage = 0.5;
  page.limit = 16;
  gpu.read(page, at(100));
  const valve::NodeView view = gpu.view(at(100));
  CHECK(view.others == 5);
  CHECK(view.waiting == 2);
  CHECK(view.slots == 16);
  CHECK(view.kv_usage == 0.5);
  CHECK(view.leased_until == at(1100));
  CHECK(gpu.reading_age(at(400)) == Duration::ms(300));
  CHECK_FALSE(node().reading_age(at(0)).has_value());
}

TEST_CASE("node state: a burst that waits for the engine's next step is not a queue") {
  NodeState gpu = node();
  gpu.read(reading(1), at(0));
  for (uint64_t id = 1; id <= 30; ++id) gpu.reserve(flight(id), at(10));
  gpu.read(reading(1, 29), at(500));
  CHECK(gpu.view(at(500)).waiting == 0);
  gpu.read(reading(24, 6), at(1000));
  CHECK_MESSAGE(gpu.view(at(1000)).waiting == 6, "these wait in both readings");
  gpu.read(reading(30), at(1500));
  CHECK(gpu.view(at(1500)).waiting == 0);
}

TEST_CASE("node state: our own that ended between two readings are not taken for others") {
  NodeState gpu = node();
  for (uint64_t id = 1; id <= 6; ++id) gpu.reserve(flight(id), at(0));
  for (uint64_t id = 1; id <= 6; ++id) gpu.end(id, ended(FlightEnd::served), at(90));
  gpu.read(reading(6), at(100));  // counted by the engine just before they ended
  CHECK(gpu.view(at(100)).others == 0);
  gpu.read(reading(3), at(1100));
  gpu.read(reading(3), at(2100));
  CHECK(gpu.view(at(2100)).others == 3);
}

TEST_CASE("node state: the fewer of declared limit and engine's limit are the slots") {
  NodeProfile made = profile();
  made.concurrency_limit = 10;
  NodeState gpu = node_with(made);
  CHECK(gpu.view(at(0)).slots == 10);
  gpu.slots(4);
  CHECK(gpu.view(at(0)).slots == 4);
  gpu.slots(64);
  CHECK(gpu.view(at(0)).slots == 10);
}

TEST_CASE("node state: absurd figures of an engine are bounded") {
  NodeState gpu = node();
  EngineReading page = reading(1e300, std::numeric_limits<double>::infinity());
  page.limit = 1e300;
  gpu.read(page, at(0));
  CHECK(gpu.view(at(0)).others <= 2'000'000);
  CHECK(gpu.view(at(0)).waiting <= 1'000'000);
  CHECK(gpu.view(at(0)).slots <= 1'000'000);
  gpu.read(reading(-5, std::numeric_limits<double>::quiet_NaN()), at(1));
  CHECK(gpu.view(at(1)).others == 0);
  CHECK(gpu.view(at(1)).waiting == 0);
}

TEST_CASE("node state: failures in a row take it down, the client's faults and departures do not") {
  NodeState gpu = node();
  uint64_t id = 0;
  const auto one = [&](FlightEnd end, int64_t ms) {
    gpu.reserve(flight(++id), at(ms));
    gpu.end(id, ended(end, "reset by peer"), at(ms));
  };
  one(FlightEnd::served, 0);
  for (int i = 0; i < 4; ++i) one(FlightEnd::failed, 1);
  one(FlightEnd::client_fault, 1);
  for (int i = 0; i < 4; ++i) one(FlightEnd::failed, 2);
  for (int i = 0; i < 9; ++i) one(FlightEnd::cancelled, 2);
  CHECK(gpu.view(at(2)).health == Health::up);
  one(FlightEnd::failed, 3);
  CHECK(gpu.view(at(3)).health == Health::down);
  CHECK(gpu.why(at(3)) == "reset by peer");
  CHECK(gpu.view(at(5003)).health == Health::probing);
}

TEST_CASE("node state: a node that asks to wait is left until then") {
  NodeState gpu = node();
  gpu.reserve(flight(1), at(0));
  FlightResult busy = ended(FlightEnd::asked_to_wait, "429 too many requests");
  busy.retry_after = Duration::seconds(2);
  gpu.end(1, busy, at(0));
  CHECK(gpu.view(at(1999)).health == Health::down);
  CHECK(gpu.why(at(1999)) == "429 too many requests");
  CHECK(gpu.view(at(2000)).health == Health::unknown);
}

TEST_CASE("node state: probes bring it up and down") {
  NodeState gpu = node();
  gpu.health(true, "", at(0));
  CHECK(gpu.view(at(0)).health == Health::up);
  for (int i = 0; i < 5; ++i) gpu.health(false, "connection refused", at(10));
  CHECK(gpu.view(at(10)).health == Health::down);
  CHECK(gpu.why(at(10)) == "connection refused");
  gpu.health(true, "", at(5010));
  CHECK(gpu.view(at(5010)).health == Health::slow_start);
  CHECK(gpu.view(at(5010)).share == doctest::Approx(0.1));
}

TEST_CASE("node state: the share of failures is in the view, departures of clients are none") {
  NodeState gpu = node();
  for (uint64_t id = 1; id <= 4; ++id) {
    gpu.reserve(flight(id), at(0));
    gpu.end(id, ended(id % 2 == 0 ? FlightEnd::failed : FlightEnd::asked_to_wait, "x"), at(0));
  }
  CHECK(gpu.view(at(0)).failure_share == doctest::Approx(0.5));
  gpu.reserve(flight(9), at(0));
  gpu.end(9, ended(FlightEnd::cancelled), at(0));
  CHECK(gpu.view(at(0)).failure_share == doctest::Approx(0.5));
}

TEST_CASE("node state: the longest context is what settings say, else what the node lists") {
  NodeState gpu = node();
  CHECK(gpu.view(at(0)).context_max == Tokens{0});
  gpu.context({32768});
  CHECK(gpu.view(at(0)).context_max == Tokens{32768});
  NodeProfile told = profile();
  told.context_max = {8192};
  told.weight = 3;
  gpu.set_profile(told);
  CHECK(gpu.view(at(0)).context_max == Tokens{8192});
  CHECK(gpu.view(at(0)).weight == 3);
}

TEST_CASE("node state: how much of a prompt is cached is learned from what the node reports") {
  NodeState gpu = node();
  Flight asked = flight(1, 1000);
  asked.matched = {800};
  gpu.reserve(asked, at(0));
  FlightResult result = ended(FlightEnd::served);
  gpu.end(1, result, at(100));  // it told nothing
  CHECK(gpu.cache_trust() == doctest::Approx(0));
  asked.id = 2;
  gpu.reserve(asked, at(200));
  result.cached = 0.4;
  gpu.end(2, result, at(300));
  CHECK(gpu.cache_trust() == doctest::Approx(0.5));
}

TEST_CASE("node state: an engine whose counters fall, or that was away, began anew; told once") {
  NodeState gpu = node();
  EngineReading first = reading(0);
  first.prompt_tokens = 5000;
  gpu.read(first, at(0));
  CHECK_FALSE(gpu.take_restart());
  first.prompt_tokens = 6000;
  gpu.read(first, at(500));
  CHECK_FALSE(gpu.take_restart());
  first.prompt_tokens = 10;
  gpu.read(first, at(1000));
  CHECK(gpu.take_restart());
  CHECK_FALSE(gpu.take_restart());
  gpu.health(true, "", at(1500));
  CHECK_FALSE(gpu.take_restart());
  gpu.health(false, "gone", at(2000));
  gpu.health(true, "", at(2500));
  CHECK(gpu.take_restart());
}

TEST_CASE("node state: requests per minute are kept to a rolling minute") {
  NodeProfile made = profile();
  made.requests_per_minute = 3;
  NodeState cloud = node_with(made);
  cloud.health(true, "", at(0));
  for (uint64_t id = 1; id <= 3; ++id) {
    CHECK(cloud.view(at(0)).health == Health::up);
    cloud.reserve(flight(id), at(static_cast<int64_t>(id) * 1000));
  }
  CHECK(cloud.view(at(3000)).health == Health::down);
  CHECK(cloud.why(at(3000)) == "its limit of requests per minute is used up");
  CHECK(cloud.view(at(60999)).health == Health::down);
  CHECK(cloud.view(at(61000)).health == Health::up);
  cloud.reserve(flight(4), at(61000));
  CHECK(cloud.view(at(61000)).health == Health::down);
  CHECK(cloud.view(at(62000)).health == Health::up);
}

TEST_CASE("node state: a node that is disabled or asleep takes nothing") {
  NodeState gpu = node();
  gpu.health(true, "", at(0));
  EngineReading page = reading(0);
  page.asleep = true;
  gpu.read(page, at(0));
  CHECK(gpu.view(at(1000)).health == Health::down);
  CHECK(gpu.why(at(1000)) == "the engine sleeps");
  CHECK_MESSAGE(gpu.view(at(1001)).health == Health::up, "an old reading does not say so any more");
  NodeProfile off = profile();
  off.enabled = false;
  gpu.set_profile(off);
  CHECK(gpu.view(at(2000)).health == Health::down);
  CHECK(gpu.why(at(2000)) == "disabled in the settings");
}

TEST_CASE("node state: the engine's own histogram teaches what we cannot see") {
  const auto page = [](double running, double sum, double count) {
    EngineReading made = reading(running);
    made.tpot = Histogram{sum, count, {}};
    return made;
  };
  NodeState gpu = node();
  gpu.read(page(6, 10.0, 100), at(0));
  gpu.read(page(10, 13.0, 200), at(500));  // 100 gaps of 30 ms while about 8 ran
  gpu.learn(at(500));
  REQUIRE(gpu.view(at(500)).tpot.size() == 1);
  CHECK(gpu.view(at(500)).tpot[0] == valve::TpotPoint{8, Duration::ms(30)});
  gpu.read(page(10, 0.1, 1), at(1000));  // the engine was restarted
  gpu.read(page(10, 0.1, 1), at(1500));  // nothing new
  gpu.learn(at(1500));
  CHECK(gpu.view(at(1500)).tpot.size() == 1);

  NodeState seen = node();
  seen.read(page(6, 10.0, 100), at(0));
  seen.reserve(flight(1), at(0));
  seen.first_token(1, at(10));
  seen.read(page(10, 13.0, 200), at(500));
  seen.learn(at(500));
  CHECK_MESSAGE(seen.view(at(500)).tpot.empty(), "our own stream teaches already");
}

TEST_CASE("node state: which models, and what it calls them") {
  NodeState gpu = node();
  gpu.models({"other"});
  CHECK(gpu.upstream_name("chat-long") == "Qwen/Qwen3-8B");
  CHECK_FALSE(gpu.upstream_name("Qwen/Qwen3-8B").has_value());
  CHECK_FALSE(gpu.upstream_name("other").has_value());
  CHECK(gpu.served_models() == std::vector<std::string>{"chat", "chat-long"});
  NodeProfile open = profile();
  open.models.clear();
  gpu.set_profile(open);
  CHECK(gpu.upstream_name("other") == "other");
  CHECK_FALSE(gpu.upstream_name("chat").has_value());
  CHECK(gpu.served_models() == std::vector<std::string>{"other"});
}

TEST_CASE("node: a path that has stopped answering closes the node before it counts as dead") {
  NodeState gpu = node();
  gpu.health(true, "", at(0));
  CHECK(gpu.view(at(1)).health == Health::up);
  gpu.link(LinkTold{true, "", Duration::ms(20), 0, 0}, at(2));
  CHECK(gpu.view(at(3)).health == Health::up);
  gpu.link(LinkTold{false, "path wan1/pop1/udp4 is suspect", Duration::ms(20), 0, 0}, at(4));
  CHECK(gpu.view(at(5)).health == Health::down);
  CHECK(gpu.why(at(5)) == "path wan1/pop1/udp4 is suspect");
  gpu.link(LinkTold{true, "", Duration::ms(20), 0, 0}, at(100));
  CHECK(gpu.view(at(101)).health == Health::up);
}

TEST_CASE("node: what its path broke is no fault of the node") {
  NodeState gpu = node();
  gpu.health(true, "", at(0));
  gpu.link(LinkTold{true, "", Duration::ms(20), 0, 0}, at(1));
  for (uint64_t id = 1; id <= 20; ++id) gpu.reserve(flight(id), at(2));
  gpu.link(LinkTold{false, "dead", {}, 0, 0}, at(300));
  for (int i = 0; i < 20; ++i) gpu.health(false, "no answer in time", at(400 + i));
  for (uint64_t id = 1; id <= 20; ++id) {
    gpu.end(id, ended(FlightEnd::failed, "connection reset"), at(500));
  }
  gpu.link(LinkTold{true, "", Duration::ms(20), 0, 0}, at(600));
  CHECK(gpu.view(at(601)).health == Health::up);
  CHECK(gpu.view(at(601)).failure_share == 0);
  for (uint64_t id = 31; id <= 50; ++id) gpu.reserve(flight(id), at(700));
  for (uint64_t id = 31; id <= 50; ++id) {
    gpu.end(id, ended(FlightEnd::failed, "connection reset"), at(800));
  }
  CHECK(gpu.view(at(801)).health != Health::up);  // its own faults still count
}

TEST_CASE("node: a longer path makes its first tokens later, at once") {
  NodeState gpu = node();
  gpu.health(true, "", at(0));
  gpu.link(LinkTold{true, "", Duration::ms(20), 0, 0}, at(1));
  const Duration before = gpu.view(at(2)).ttft_base;
  gpu.link(LinkTold{true, "", Duration::ms(220), 0, 0}, at(3));
  CHECK(gpu.view(at(4)).ttft_base - before == Duration::ms(200));
  gpu.link(std::nullopt, at(5));
  CHECK(gpu.view(at(6)).ttft_base == before);
}
