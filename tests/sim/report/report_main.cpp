// One measurement of the report, as one line of JSON:
//
//   sim-report run --case NAME --policy NAME [--seconds S] [--skip S] [--seed N] [--leases yes]
//                                                     --skip: what came before is not judged
//   sim-report arrivals --case NAME [--seconds S]     "at_us,prompt,output", for bound.py
//   sim-report law --case NAME                        "a0,a1,a2,p,chunk", in seconds and tokens
//   sim-report foresight --case NAME [--seconds S]    the best plan found that can be carried out
//
// All take --traces FOLDER (tests/data/traces).
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/json.h"
#include "tests/sim/foresight.h"
#include "tests/sim/report/crowd_case.h"
#include "tests/sim/report/leased_case.h"
#include "tests/sim/report/load_case.h"
#include "tests/sim/report/named_policy.h"

namespace {

using namespace sluice;
using namespace sluice::sim;
using ports::JsonValue;
using Options = std::map<std::string, std::string>;

// What a plan on the model of the engine leaves for links and the box itself.
constexpr double kSpareTtft = 0.005;
constexpr double kSpareTpot = 0.0001;

int complain(const std::string& text) {
  fmt::print(stderr, "sim-report: {}\n", text);
  return 2;
}

double number_of(const Options& options, const std::string& name) {
  const auto found = options.find(name);
  return found == options.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
}

JsonValue figures(const Site& site, double skip_s) {
  std::vector<RequestResult> judged;
  for (const RequestResult& one : site.results()) {
    if ((one.came - site.results().front().came).as_seconds() >= skip_s) judged.push_back(one);
  }
  const Tally sum = tally(judged, site.spec().level);
  return JsonValue::object({{"requests", sum.requests},
                            {"served", sum.served},
                            {"attainment", sum.attainment()},
                            {"cost", sum.cost_share()},
                            {"cloud_share", sum.cloud_share()},
                            {"ttft_p50_s", sum.ttft_s.p50},
                            {"ttft_p99_s", sum.ttft_s.p99},
                            {"tpot_p99_ms", sum.tpot_ms.p99},
                            {"total_p99_s", sum.total_s.p99},
                            {"trace_hash", fmt::format("{:016x}", site.trace_hash())}});
}

JsonValue run_load(const LoadCase& load, const Trace& arrivals, const valve::Policy& policy,
                   const Options& options) {
  SiteSpec spec;
  if (options.count("seed") != 0) spec.seed = static_cast<uint64_t>(number_of(options, "seed"));
  spec.valve = policy;
  spec.nodes = {local_engine("gpu", engine_of(load)), unlimited_cloud()};
  Site site(std::move(spec));
  site.run(arrivals);
  return figures(site, number_of(options, "skip"));
}

// Of the cases with users; nothing: there is none of this name.
std::optional<JsonValue> run_crowd(const std::string& name, const valve::Policy& policy,
                                   const std::string& traces) {
  if (name == "report-60") return report_case(policy, 60);
  if (name == "report-100") return report_case(policy, 100);
  if (name == "fairness") return fairness_case(policy, traces, true);
  if (name == "fairness-home") return fairness_case(policy, traces, false);
  if (name == "storm") return storm_case(policy);
  return std::nullopt;
}

JsonValue foresight(const LoadCase& load, const Trace& arrivals) {
  const PlayedPlan plan = best_plan(arrivals, law_of(engine_of(load)),
                                    {2.0 - kSpareTtft, 0.1 - kSpareTpot}, SearchEffort());
  const auto requests = static_cast<double>(std::max<size_t>(1, arrivals.size()));
  return JsonValue::object({{"cost", plan.cost},
                            {"cloud_share", plan.cloud_share},
                            {"attainment", 1 - static_cast<double>(plan.missed) / requests}});
}

int print_run(Options& options, const LoadCase* load, const Trace& arrivals) {
  const std::optional<valve::Policy> policy = policy_named(options["policy"]);
  if (!policy) return complain("no policy of the name \"" + options["policy"] + "\"");
  const auto began = std::chrono::steady_clock::now();
  std::optional<JsonValue> made;
  if (load != nullptr && options.count("leases") != 0) {
    made = leased_case(*load, arrivals, *policy);
  } else if (load != nullptr) {
    made = run_load(*load, arrivals, *policy, options);
  } else {
    made = run_crowd(options["case"], *policy, options["traces"]);
  }
  if (!made) return complain("no case of the name \"" + options["case"] + "\"");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  made->add("case", options["case"]);
  made->add("policy", options["policy"]);
  made->add("took_s", took.count());
  fmt::print("{}\n", ports::to_json(*made));
  return 0;
}

}  // namespace

int main(int count, char** words) {
  Options options{{"traces", "tests/data/traces"}};
  for (int i = 2; i + 1 < count; i += 2) options[std::string(words[i]).substr(2)] = words[i + 1];
  const std::string verb = count > 1 ? words[1] : "";
  const LoadCase* load = find_load_case(options["case"]);
  Trace arrivals;
  if (load != nullptr) {
    Result<Trace> made = arrivals_of(*load, options["traces"], number_of(options, "seconds"));
    if (!made) return complain(made.error().text);
    arrivals = *std::move(made);
  }
  if (verb == "run") return print_run(options, load, arrivals);
  if (load == nullptr) return complain("no load case of the name \"" + options["case"] + "\"");
  if (verb == "arrivals") {
    for (const Arrival& a : arrivals)
      fmt::print("{},{},{}\n", a.at_us, a.prompt_tokens, a.output_tokens);
  } else if (verb == "law") {
    const EngineLaw law = law_of(engine_of(*load));
    fmt::print("{},{},{},{},{}\n", law.work.step_s, law.work.per_sequence_s,
               law.work.per_kv_token_s, law.work.per_prompt_token_s, law.chunk_tokens);
  } else if (verb == "foresight") {
    fmt::print("{}\n", ports::to_json(foresight(*load, arrivals)));
  } else {
    return complain("say run, arrivals, law or foresight; see the head of report_main.cpp");
  }
  return 0;
}
