#include "firmware/sense/load_history.h"

#include "firmware/sense/document_shelf.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

Instant at(double seconds) { return Instant::from_us(static_cast<int64_t>(seconds * 1e6)); }

EngineReading read_page(const std::string& text, const DriverFacts& facts) {
  return read_engine(parse_exposition(text), facts);
}

// A histogram t with `fast` observations of at most 1 s and `slow` ones of at most 4 s.
std::string page(int fast, int slow, const std::string& more = "") {
  const std::string all = std::to_string(fast + slow);
  return "t_bucket{le=\"1\"} " + std::to_string(fast) + "\nt_bucket{le=\"4\"} " + all +
         "\nt_bucket{le=\"+Inf\"} " + all + "\nt_count " + all + "\nt_sum " +
         std::to_string(fast + 3 * slow) + "\n" + more;
}

const char* kFields =
    "  running: [{metric: r}]\n  waiting: [{metric: w}]\n  prompt_tokens: [{metric: p}]\n"
    "  prefix_queries: [{metric: q}]\n  prefix_hits: [{metric: h}]\n  ttft: [{metric: t}]\n";

TEST_CASE("load history: the window of two vLLM pages tells what its lifetime hides") {
  const DriverFacts facts = built_in_facts("vllm");
  LoadHistory history;
  history.add(read_page(read_sample("vllm-v1.prom"), facts), at(100));
  history.add(read_page(read_sample("vllm-v1-saturated.prom"), facts), at(110));
  const EngineLoad load = history.load({}, at(110));
  CHECK(load.ttft.p95_s.value.value() == doctest::Approx(9.75));
  CHECK(load.ttft.mean_s.value.value() == doctest::Approx(217.152 / 48));
  CHECK(load.ttft.p95_s.confidence == Confidence::derived);
  CHECK(load.ttft.p95_s.source == "vllm:time_to_first_token_seconds over 10.0 s");
  CHECK(load.ttft.p95_s.at == at(110));
  CHECK(load.tpot.mean_s.value.value() == doctest::Approx((63020.291 - 61495.066) / 18519));
  CHECK(load.queue_time.mean_s.value.value() == doctest::Approx((2017.843 - 1789.555) / 48));
  CHECK(load.prefix_hit_rate.value.value() == doctest::Approx(20209.0 / 88456.0));
  CHECK(load.prefix_hit_rate.source == "vllm:prefix_cache_hits_total over 10.0 s");
  CHECK(load.running.value == 64.0);
  CHECK(load.running.confidence == Confidence::told);
  CHECK(load.running.source == "vllm:num_requests_running");
  CHECK(load.asleep.value == 0.0);
  CHECK(load.limit.confidence == Confidence::absent);
}

TEST_CASE("load history: what is not told is absent and says which name is missing") {
  const EngineLoad none = LoadHistory().load({}, at(1));
  CHECK_FALSE(none.running.value.has_value());
  LoadHistory history;
  history.add(read_page("r 2\n", engine_with(kFields)), at(1));
  const EngineLoad load = history.load({}, at(1));
  CHECK(load.running.value == 2.0);
  CHECK_FALSE(load.waiting.value.has_value());
  CHECK(load.waiting.source == "w is missing");
  CHECK(load.ttft.p95_s.source == "t is missing");
  CHECK(load.kv_usage.source == "not told");  // the driver does not know of one
}

TEST_CASE(
    "load history: a window in which little ended is widened, and one long past is not used") {
  const DriverFacts facts = engine_with(kFields);
  LoadHistory history;
  for (int i = 0; i <= 60; ++i) {  // every second; 30 ended early on, then one in ten seconds
    const int slow = std::min(i * 3, 30);
    history.add(read_page(page(i / 10, slow), facts), at(i));
  }
  const EngineLoad load = history.load({}, at(60));
  // Ten seconds hold one; to have twenty it takes all the time since the fourth second or so.
  CHECK(load.ttft.p50_s.value.value() > 1.0);
  CHECK(load.ttft.mean_s.value.value() > 1.0);
  for (int i = 61; i <= 260; ++i) history.add(read_page(page(i / 10, 30), facts), at(i));
  const EngineLoad later = history.load({}, at(260));
  CHECK(later.ttft.mean_s.value == 1.0);  // the slow ones are more than two minutes away
  CHECK_FALSE(later.ttft.p95_s.value.has_value());
  CHECK(later.ttft.p95_s.source.starts_with("only 1"));
}

TEST_CASE("load history: with enough completions the window is the last ten seconds") {
  const DriverFacts facts = engine_with(kFields);
  LoadHistory history;
  for (int i = 0; i <= 40; ++i) {
    const int slow = i <= 20 ? i * 10 : 200;
    history.add(read_page(page(i <= 20 ? 0 : (i - 20) * 10, slow), facts), at(i));
  }
  const EngineLoad load = history.load({}, at(40));
  CHECK(load.ttft.mean_s.value == 1.0);
  const double span = std::stod(load.ttft.mean_s.source.substr(std::string("t over ").size()));
  CHECK(span >= 10);
  CHECK(span <= 12);
}

TEST_CASE("load history: a restart and new buckets begin the windows anew") {
  const DriverFacts facts = engine_with(kFields);
  LoadHistory history;
  history.add(read_page(page(100, 100, "p 500\n"), facts), at(0));
  history.add(read_page(page(200, 100, "p 900\n"), facts), at(10));
  CHECK(history.load({}, at(10)).ttft.mean_s.value == 1.0);
  history.add(read_page(page(300, 100, "p 10\n"), facts), at(20));  // its counter began anew
  CHECK_FALSE(history.load({}, at(20)).ttft.mean_s.value.has_value());
  history.add(read_page(page(300, 150, "p 20\n"), facts), at(30));
  CHECK(history.load({}, at(30)).ttft.mean_s.value == 3.0);
  history.add(read_page("t_bucket{le=\"2\"} 500\nt_count 600\nt_sum 900\np 30\n", facts), at(40));
  CHECK_FALSE(history.load({}, at(40)).ttft.mean_s.value.has_value());
  history.add(read_page("t_bucket{le=\"2\"} 540\nt_count 640\nt_sum 980\np 40\n", facts), at(50));
  CHECK(history.load({}, at(50)).ttft.mean_s.value == 2.0);
}

TEST_CASE("load history: figures beyond their time are stale and keep their value") {
  LoadHistory history;
  history.add(read_page("r 2\n", engine_with(kFields)), at(1));
  CHECK(history.load(Duration::seconds(2), at(3)).running.confidence == Confidence::told);
  const EngineLoad load = history.load(Duration::seconds(2), at(3.5));
  CHECK(load.running.confidence == Confidence::stale);
  CHECK(load.running.value == 2.0);
  CHECK(load.waiting.confidence == Confidence::absent);
}

TEST_CASE(
    "load history: what a document tells at the pace of probes is not stale before the next") {
  const DriverFacts facts = engine_with(
      "  running: [{metric: r}]\n  limit: [{document: d, member: most}]\n"
      "documents:\n  - {name: d, path: /d}\n");
  const Exposition text = parse_exposition("r 2\n");
  DocumentShelf shelf(facts);
  shelf.put(0, "{\"most\": 8}", at(100));
  Answers answers = shelf.answers({}, at(104));
  answers.page = &text;
  LoadHistory history;
  history.add(read_engine(answers, facts), at(104));
  const Duration two = Duration::seconds(2);
  CHECK(history.load(two, at(104), Duration::seconds(15)).limit.confidence == Confidence::told);
  CHECK(history.load(two, at(104)).limit.confidence == Confidence::stale);
  const EngineLoad later = history.load(two, at(107), Duration::seconds(15));
  CHECK(later.limit.confidence == Confidence::told);
  CHECK(later.running.confidence == Confidence::stale);
  CHECK(history.load(two, at(116), Duration::seconds(15)).limit.confidence == Confidence::stale);
}

TEST_CASE("load history: the limit is learnt where requests wait while others run") {
  const DriverFacts facts = engine_with(kFields);
  LoadHistory history;
  history.add(read_page("r 9\nw 1\n", facts), at(1));
  CHECK_FALSE(history.load({}, at(1)).limit.value.has_value());  // a burst before the next step
  history.add(read_page("r 8\nw 2\n", facts), at(2));
  history.add(read_page("r 7\nw 1\n", facts), at(3));
  history.add(read_page("r 20\nw 0\n", facts), at(4));
  const EngineLoad load = history.load({}, at(4));
  CHECK(load.limit.value == 8.0);
  CHECK(load.limit.confidence == Confidence::learnt);
  CHECK(load.limit.source == "most seen running while others waited");
}

TEST_CASE("load history: an engine that began anew may have another limit") {
  const DriverFacts facts = engine_with(kFields);
  LoadHistory history;
  history.add(read_page("r 64\nw 3\np 900\n", facts), at(1));
  history.add(read_page("r 64\nw 3\np 950\n", facts), at(2));
  CHECK(history.load({}, at(2)).limit.value == 64.0);
  history.add(read_page("r 16\nw 3\np 10\n", facts), at(3));
  CHECK_FALSE(history.load({}, at(3)).limit.value.has_value());
  history.add(read_page("r 16\nw 5\np 20\n", facts), at(4));
  CHECK(history.load({}, at(4)).limit.value == 16.0);
}

TEST_CASE("load history: a mean of two counters is a window too") {
  const DriverFacts facts = built_in_facts("llamacpp");
  LoadHistory history;
  history.add(read_page("llamacpp:tokens_predicted_seconds_total 10\n"
                        "llamacpp:tokens_predicted_total 100\n",
                        facts),
              at(0));
  history.add(read_page("llamacpp:tokens_predicted_seconds_total 16\n"
                        "llamacpp:tokens_predicted_total 300\n",
                        facts),
              at(10));
  const EngineLoad load = history.load({}, at(10));
  CHECK(load.tpot.mean_s.value.value() == doctest::Approx(0.03));
  CHECK_FALSE(load.tpot.p95_s.value.has_value());
}

}  // namespace
}  // namespace sluice::sense
