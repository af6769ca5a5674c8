#include "firmware/sense/probe.h"

#include <algorithm>

#include "tests/unit/sense_io/probe_world.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

using Times = std::vector<int64_t>;

const char* const kModels = R"({"data":[{"id":"m","max_model_len":8192}]})";
const char* const kBusyPage = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 0\n";
const char* const kIdlePage = "llamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n";

struct Bench {
  ProbeWorld world;
  NodeProbe probe;

  explicit Bench(const char* engine, ProbeTimes times = {})
      : Bench(built_in_facts(engine), times) {}
  explicit Bench(DriverFacts facts, ProbeTimes times = {})
      : probe({world, world, world}, {world, origin(), credentials()}, std::move(facts), times,
              world) {
    world.replies["/health"] = {200, "ok"};
    world.replies["/v1/models"] = {200, kModels};
    world.replies["/metrics"] = {200, kBusyPage};
    world.replies["/props"] = {200, R"({"total_slots":4,"is_sleeping":false})"};
  }
  static ports::HttpOrigin origin() {
    ports::HttpOrigin where;
    where.address.host = "10.0.0.7";
    where.authority = "10.0.0.7";
    return where;
  }
  static ports::HttpFields credentials() {
    ports::HttpFields fields;
    fields.add("Authorization", "Bearer test");
    return fields;
  }
};

TEST_CASE("probe: health first, then the other questions, one request at a time") {
  Bench bench("llamacpp");
  bench.probe.start();
  CHECK(bench.world.asked.empty());
  CHECK(bench.world.told.empty());
  bench.world.run_for(Duration::ms(10));
  REQUIRE(bench.world.asked.size() == 4);
  CHECK(bench.world.asked[0].target == "/health");
  CHECK(bench.world.asked[3].target == "/metrics");
  CHECK(bench.world.told ==
        std::vector<std::string>{"alive: HTTP 200 OK", "models", "slots 4", "reading"});
  CHECK(bench.world.models == std::vector<std::string>{"m"});
  CHECK(bench.world.max_model_len == 8192);
  CHECK(bench.world.readings[0].running == 2.0);
  bench.world.run_for(Duration::seconds(60));
  CHECK(bench.world.in_flight_most == 1);
}

TEST_CASE("probe: metrics every second, the rest every five, each gap from the answer on") {
  Bench bench("llamacpp");
  bench.probe.start();
  bench.world.run_for(Duration::ms(5100));
  CHECK(bench.world.times_of("/metrics") == Times{3, 1004, 2005, 3006, 4007, 5008});
  CHECK(bench.world.times_of("/health") == Times{0, 5001});
  CHECK(bench.world.times_of("/v1/models") == Times{1, 5002});
}

TEST_CASE("probe: the jitter moves every gap by at most a tenth") {
  for (const auto& [chance, gap] : {std::pair<uint64_t, int64_t>{0, 900}, {~uint64_t{0}, 1099}}) {
    Bench bench("llamacpp");
    bench.world.chance = chance;
    bench.probe.start();
    bench.world.run_for(Duration::seconds(2));
    const Times times = bench.world.times_of("/metrics");
    REQUIRE(times.size() >= 2);
    CHECK(times[1] - times[0] - 1 == doctest::Approx(gap).epsilon(0.002));
  }
}

TEST_CASE("probe: requests carry the credentials, a bound and a timeout below the pace") {
  Bench bench("vllm", {Duration::ms(500), Duration::seconds(9), Duration::seconds(20)});
  bench.probe.start();
  bench.world.run_for(Duration::ms(100));
  REQUIRE(bench.world.asked.size() == 5);  // health, models, two documents
  const ports::HttpCallSpec& metrics = bench.world.asked[4].spec;
  CHECK(metrics.method == "GET");
  CHECK(metrics.fields.get("Authorization") == "Bearer test");
  CHECK(metrics.fields.get("Accept") == "text/plain;version=0.0.4");
  CHECK(metrics.timeouts.total == Duration::ms(400));
  CHECK(metrics.body_max == kExpositionBytesMax);
  CHECK_FALSE(metrics.fresh_connection);
  CHECK(bench.world.asked[0].spec.timeouts.total == kProbeTimeoutMax);
}

TEST_CASE("probe: while the node is down only its health is asked, at doubling gaps") {
  Bench bench("llamacpp");
  bench.world.replies["/health"] = {503, R"({"error":"loading"})", Duration()};
  bench.probe.start();
  bench.world.run_for(Duration::seconds(110));
  CHECK(bench.world.times_of("/health") == Times{0, 5000, 15000, 35000, 65000, 95000});
  CHECK(bench.world.asked.size() == 6);
  CHECK(bench.world.count_told("down: HTTP 503 Service Unavailable") == 6);
  CHECK(bench.world.told.size() == 6);
}

TEST_CASE("probe: a node that comes back is asked everything at once, then at the old pace") {
  Bench bench("llamacpp");
  bench.world.replies["/health"].failure = "connection refused";
  bench.probe.start();
  bench.world.run_for(Duration::seconds(10));
  CHECK(bench.world.told ==
        std::vector<std::string>{"down: connection refused", "down: connection refused"});
  bench.world.replies["/health"].failure.clear();
  bench.world.told.clear();
  bench.world.run_for(Duration::ms(5100));  // the third look is at 15.002 s
  CHECK(bench.world.told ==
        std::vector<std::string>{"alive: HTTP 200 OK", "models", "slots 4", "reading"});
  bench.world.run_for(Duration::seconds(5));
  CHECK(bench.world.times_of("/health").back() == 20003);
}

TEST_CASE("probe: late metrics of an engine that blocks while decoding mean busy, not down") {
  Bench bench("llamacpp");
  bench.world.replies["/metrics"].delay = Duration::seconds(10);
  bench.probe.start();
  bench.world.run_for(Duration::seconds(20));
  // Timeout 0.8 s; gaps 1, 2, 4, 4 s after it.
  CHECK(bench.world.times_of("/metrics") == Times{3, 1803, 4603, 9403, 14203, 19003});
  CHECK(bench.world.count_told("busy") == 6);
  CHECK(bench.world.times_of("/health") == Times{0, 5403, 10404, 15405});
  CHECK(bench.world.count_told("alive: HTTP 200 OK") == 4);
  bench.world.replies["/metrics"].delay = Duration::ms(1);
  bench.world.run_for(Duration::seconds(6));
  CHECK(bench.world.told.back() == "reading");
}

TEST_CASE("probe: late metrics of another engine make the probe look at its health first") {
  Bench bench("vllm");
  bench.world.replies["/metrics"].delay = Duration::seconds(10);
  bench.probe.start();
  bench.world.run_for(Duration::ms(900));
  CHECK(bench.world.times_of("/health") == Times{0, 804});
  CHECK(bench.world.told ==
        std::vector<std::string>{"alive: HTTP 200 OK", "models", "alive: HTTP 200 OK", "busy"});
  bench.world.replies["/health"].failure = "connection reset";
  bench.world.run_for(Duration::seconds(2));
  CHECK(bench.world.told.back() == "down: connection reset");
  CHECK(bench.world.count_told("busy") == 1);
}

TEST_CASE("probe: an engine without a metrics page is alive and asked for it ever more rarely") {
  Bench bench("llamacpp");
  bench.world.replies["/metrics"] = {501, "", Duration()};
  bench.probe.start();
  bench.world.run_for(Duration::seconds(100));
  CHECK(bench.world.times_of("/metrics").size() == 8);  // 1 2 4 8 16 30 30 s apart
  CHECK(bench.world.count_told("absent") == 8);
  CHECK(bench.world.times_of("/health").size() == 20);
  CHECK(bench.world.count_told("alive: HTTP 200 OK") == 20);
}

TEST_CASE("probe: an idle engine that a look keeps awake is left alone until it is used") {
  Bench bench("llamacpp");
  bench.world.replies["/metrics"].body = kIdlePage;
  bench.probe.start();
  bench.world.run_for(Duration::seconds(59));
  CHECK(bench.world.times_of("/metrics") == Times{3});
  bench.world.run_for(Duration::seconds(11));
  CHECK(bench.world.times_of("/metrics") == Times{3, 60004});
  bench.probe.note_use();
  bench.world.run_for(Duration::ms(1500));
  CHECK(bench.world.times_of("/metrics").back() == 71000);
}

TEST_CASE("probe: an idle engine without that trait is looked at as always") {
  Bench bench("vllm");
  bench.world.replies["/metrics"].body = "vllm:num_requests_running 0\n";
  bench.probe.start();
  bench.world.run_for(Duration::seconds(4));
  CHECK(bench.world.times_of("/metrics").size() == 4);
}

TEST_CASE("probe: a sleeping engine is not woken by a look at its metrics") {
  Bench bench("llamacpp");
  bench.world.replies["/props"].body = R"({"total_slots":4,"is_sleeping":true})";
  bench.probe.start();
  bench.world.run_for(Duration::seconds(12));
  CHECK(bench.world.times_of("/metrics").empty());
  CHECK(bench.world.count_told("asleep") == 3);
  bench.world.replies["/props"].body = R"({"total_slots":4,"is_sleeping":false})";
  bench.world.run_for(Duration::seconds(5));
  CHECK(bench.world.count_told("reading") == 2);
}

TEST_CASE("probe: without a health page the model list tells whether the node is alive") {
  const struct {
    int status;
    const char* first;
    size_t told;
  } rows[] = {{200, "alive: HTTP 200 OK", 2},
              {404, "alive: HTTP 404 Not Found", 1},
              {429, "alive: HTTP 429 Too Many Requests", 1},
              {500, "down: HTTP 500 Internal Server Error", 1},
              {401, "down: HTTP 401 Unauthorized", 2}};
  for (const auto& row : rows) {
    CAPTURE(row.status);
    Bench bench("openai");
    bench.world.replies["/v1/models"].status = row.status;
    bench.probe.start();
    bench.world.run_for(Duration::seconds(1));
    REQUIRE(bench.world.told.size() == row.told);
    CHECK(bench.world.told[0] == row.first);
  }
}

TEST_CASE("probe: a key that the engine refuses is told") {
  Bench bench("vllm");
  bench.world.replies["/v1/models"].status = 401;
  bench.probe.start();
  bench.world.run_for(Duration::ms(100));
  CHECK(bench.world.count_told("key refused 401") == 1);
  CHECK(bench.world.count_told("models") == 0);
}

TEST_CASE("probe: a page beyond the bound ends the request and is no reading") {
  Bench bench("vllm");
  bench.world.replies["/metrics"].body =
      std::string(static_cast<size_t>(kExpositionBytesMax.count) + 1, '\n');
  bench.probe.start();
  bench.world.run_for(Duration::ms(500));
  CHECK(bench.world.count_told("broken") == 1);
  CHECK(bench.world.readings.empty());
  CHECK(bench.world.in_flight == 0);
}

TEST_CASE("probe: the Content-Type decides how timestamps are read") {
  Bench bench("llamacpp");
  bench.world.replies["/metrics"].body = "llamacpp:requests_processing 2 1787304050.5\n";
  bench.world.replies["/metrics"].content_type = "Application/OpenMetrics-text; version=1.0.0";
  bench.probe.start();
  bench.world.run_for(Duration::ms(100));
  REQUIRE(bench.world.readings.size() == 1);
  CHECK(bench.world.readings[0].running == 2.0);
  CHECK(bench.world.readings[0].bad_lines == 0);
  CHECK(bench.world.readings[0].missing == std::vector<std::string>{"waiting", "prompt_tokens",
                                                                    "generation_tokens", "loading",
                                                                    "tpot"});
}

TEST_CASE(
    "probe: stop ends the request under way, also from inside the sink, and start begins anew") {
  Bench bench("llamacpp");
  bench.world.replies["/health"].delay = Duration::ms(50);
  bench.probe.start();
  bench.world.run_for(Duration::ms(10));
  CHECK(bench.world.in_flight == 1);
  bench.probe.stop();
  CHECK(bench.world.in_flight == 0);
  bench.world.run_for(Duration::seconds(10));
  CHECK(bench.world.told.empty());

  for (size_t stop_at = 1; stop_at <= 4; ++stop_at) {
    bench.world.told.clear();
    bench.world.on_told = [&] {
      if (bench.world.told.size() == stop_at) bench.probe.stop();
    };
    bench.probe.start();
    bench.world.run_for(Duration::seconds(10));
    CHECK(bench.world.told.size() == stop_at);
    CHECK(bench.world.in_flight == 0);
  }
}

TEST_CASE("probe: an engine of which nothing can be asked is left in peace") {
  Bench bench(facts_from("driver: silent\nkind: engine\nfor: tests\n"));
  bench.probe.start();
  bench.world.run_for(Duration::seconds(100));
  CHECK(bench.world.asked.empty());
  bench.probe.stop();
}

TEST_CASE("probe: an engine with a metrics page only lives by it") {
  Bench bench(engine_with("  running:\n    - metric: llamacpp:requests_processing\n"));
  bench.probe.start();
  bench.world.run_for(Duration::ms(100));
  CHECK(bench.world.told == std::vector<std::string>{"alive: HTTP 200 OK", "reading"});
  bench.world.replies["/metrics"].failure = "connection refused";
  bench.world.run_for(Duration::seconds(10));
  CHECK(bench.world.times_of("/metrics") == Times{0, 1001, 2002, 4003, 8004});
  CHECK(bench.world.told.back() == "down: connection refused");
}

TEST_CASE("probe: a document that the engine does not have is asked for every ten minutes") {
  Bench bench("vllm");
  bench.probe.start();
  bench.world.run_for(Duration::seconds(1250));
  const Times asked = bench.world.times_of("/is_sleeping");
  REQUIRE(asked.size() == 3);
  CHECK(asked[1] - asked[0] >= 600000);
  CHECK(asked[1] - asked[0] < 605000);
}

TEST_CASE("probe: a page that stands elsewhere is found, and asked there from then on") {
  Bench bench("nim");
  bench.world.replies["/metrics"] = {200, "num_requests_running 3\nnum_request_max 64\n"};
  bench.probe.start();
  bench.world.run_for(Duration::ms(2500));
  CHECK(bench.world.times_of("/v1/metrics").size() == 1);
  CHECK(bench.world.times_of("/metrics").size() == 3);
  REQUIRE_FALSE(bench.world.readings.empty());
  CHECK(bench.world.readings.back().running == 3.0);
  CHECK(bench.world.readings.back().limit == 64.0);
}

TEST_CASE("probe: without its page llama.cpp is read by its slots, else they are left alone") {
  const char* slots = R"([{"is_processing":true},{"is_processing":false}])";
  Bench bench("llamacpp");
  bench.world.replies["/slots"] = {200, slots};
  bench.probe.start();
  bench.world.run_for(Duration::seconds(20));
  CHECK(bench.world.times_of("/slots").empty());
  bench.world.replies["/metrics"] = {501, "no --metrics"};
  bench.world.run_for(Duration::seconds(5));
  REQUIRE(bench.world.times_of("/slots").size() >= 3);
  CHECK(bench.world.readings.back().running == 1.0);
  CHECK_FALSE(bench.world.readings.back().waiting.has_value());
}

TEST_CASE("probe: an engine that loads its model is down, and says so") {
  Bench bench("llamacpp");
  bench.world.replies["/health"] = {503, R"({"error":{"code":503,"message":"Loading model"}})"};
  bench.probe.start();
  bench.world.run_for(Duration::ms(100));
  CHECK(bench.world.told.back() == "down: its model is being loaded");
  REQUIRE(bench.world.documents.size() == 1);
  CHECK(bench.world.documents[0].loading);
  bench.world.replies["/health"] = {200, R"({"status":"ok"})"};
  bench.world.run_for(Duration::seconds(10));
  CHECK(bench.world.count_told("alive: HTTP 200 OK") >= 1);
  CHECK_FALSE(bench.world.readings.back().loading);
}

TEST_CASE("probe: what Ollama has in memory is told apart from a reading of its load") {
  Bench bench("ollama");
  bench.world.replies["/api/version"] = {200, "{}"};
  bench.world.replies["/api/ps"] = {200, R"({"models":[{"name":"a"}]})"};
  bench.probe.start();
  bench.world.run_for(Duration::seconds(12));
  CHECK(bench.world.readings.empty());  // it tells nothing of requests
  REQUIRE(bench.world.documents.size() == 3);
  REQUIRE(bench.world.documents[0].fields.size() == 1);
  CHECK(bench.world.documents[0].fields[0].field == "loaded_models");
  CHECK(bench.world.documents[0].fields[0].value == 1.0);
}

TEST_CASE("probe: figures of a document are not told again when they are old") {
  Bench bench("sglang");
  bench.world.replies["/v1/loads"] = {
      200, R"({"loads":[{"num_running_reqs":5,"num_waiting_reqs":2,"max_running_requests":8}]})"};
  bench.world.replies["/metrics"] = {200, "sglang:num_running_reqs{tp_rank=\"0\"} 1\n"};
  bench.probe.start();
  bench.world.run_for(Duration::ms(1500));
  CHECK(bench.world.readings.back().running == 5.0);
  CHECK(bench.world.count_told("slots 8") >= 1);
  bench.world.replies["/v1/loads"].failure = "connection reset";
  bench.world.run_for(Duration::seconds(6));
  CHECK(bench.world.readings.back().running == 1.0);
}

}  // namespace
}  // namespace sluice::sense
