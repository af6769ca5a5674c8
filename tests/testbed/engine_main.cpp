// testbed-engine: a stand-in for an inference engine. See README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/testbed/engine_server.h"

namespace {

using sluice::testbed::EngineOptions;

struct CommandLine {
  EngineOptions engine;
  std::string listen = "127.0.0.1:0";
  std::string control;
  std::string metrics = "v1";
  std::string endpoints;
  std::string records;
  std::string truth;
};

void add_serving_options(CLI::App& app, CommandLine& line) {
  EngineOptions& engine = line.engine;
  app.add_option("--listen", line.listen, "IPv4 address and port; port 0 picks a free one")
      ->capture_default_str();
  app.add_option("--control", line.control, "second listener, which listen=off leaves open");
  app.add_option("--model", engine.models, "model name, repeatable")->capture_default_str();
  app.add_option("--api-key", engine.api_key, "require this bearer key on /v1");
  app.add_option("--name", engine.name, "sent as the header x-testbed-engine");
  app.add_option("--metrics", line.metrics,
                 "the words of v1, v0 (vLLM), sglang, tgi, llamacpp, trtllm, mindie; or none")
      ->capture_default_str();
  app.add_option("--endpoints", line.endpoints, "the only ones offered, such as messages,rerank");
  app.add_option("--output-tokens", engine.output_tokens, "answer length if no limit is asked")
      ->capture_default_str();
  app.add_option("--eos-tokens", engine.eos_tokens, "answers stop by themselves here; 0: never");
  app.add_option("--max-model-len", engine.max_model_len)->capture_default_str();
  app.add_option("--faults", engine.faults, "such as refuse=0.02,cut=0.1,lie=zero");
  app.add_option("--records", line.records, "append a JSON line for each request here");
  app.add_option("--truth", line.truth, "write what runs and waits here, each time it changes");
  app.add_option("--seed", engine.seed, "of the faults")->capture_default_str();
  app.add_option("--slow-start-s", engine.slow_start_s, "steps are slow for so long");
  app.add_option("--slow-start-factor", engine.slow_start_factor)->capture_default_str();
}

void add_cost_options(CLI::App& app, CommandLine& line) {
  sluice::testbed::StepCost& cost = line.engine.cost;
  // The options are applied in this order, whatever theirs on the command line.
  app.add_option_function<std::string>(
      "--profile",
      [&cost](const std::string& name) {
        const auto named = sluice::testbed::step_cost_named(name);
        if (!named) throw CLI::ValidationError("--profile", name + " is unknown");
        cost = *named;
      },
      "default, report-case or cloud");
  app.add_option("--compress", cost.compress, "divide every time by this");
  app.add_option("--base-ms", cost.base_ms, "of a step (profile default)");
  app.add_option("--per-seq-ms", cost.per_seq_ms, "per sequence in the step (profile default)");
  app.add_option_function<double>(
      "--kv-us-per-ktok",
      [&cost](double us) {
        cost.curve = sluice::testbed::StepCost::Curve::fitted;
        cost.kv_us_per_ktok = us;
      },
      "per 1,000 tokens of context; then only sequences that decode cost per-seq-ms");
  app.add_option("--prefill-tps", cost.prefill_tps, "prompt tokens a second; 0: free");
  app.add_option("--chunk-tokens", cost.chunk_tokens, "prefill tokens a step");
  app.add_option("--kv-tokens", cost.kv_tokens, "KV memory");
  app.add_option("--max-num-seqs", cost.max_num_seqs, "batch size");
  app.add_option("--report-tokens", cost.report_tokens, "length of a report (other profiles)");
}

int run(const CommandLine& line) {
  sluice::testbed::raise_descriptor_limit();
  sluice::testbed::Poller poller;
  sluice::testbed::StopSignals stop(poller);
  sluice::testbed::EngineServer server(poller, line.engine);
  auto error = server.apply_faults(sluice::testbed::Faults::wish_of(line.engine.faults));
  if (!error && !line.records.empty()) error = server.record_to(line.records);
  if (!error && !line.truth.empty()) error = server.tell_truth_to(line.truth);
  if (!error) error = server.listen(line.listen);
  if (!error && !line.control.empty()) error = server.listen_for_control(line.control);
  if (error) {
    std::fprintf(stderr, "testbed-engine: %s\n", error->c_str());
    return 1;
  }
  std::printf("listening on %s\n", server.listen_address().c_str());
  if (!line.control.empty()) std::printf("control on %s\n", server.control_address().c_str());
  std::fflush(stdout);
  while (!stop.seen()) server.run_once();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A stand-in inference engine with an OpenAI-compatible API.");
  CommandLine line;
  add_serving_options(app, line);
  add_cost_options(app, line);
  CLI11_PARSE(app, argc, argv);
  const auto dialect = sluice::testbed::metrics_dialect_named(line.metrics);
  if (!dialect) {
    std::fprintf(stderr, "testbed-engine: --metrics %s is unknown\n", line.metrics.c_str());
    return 1;
  }
  line.engine.metrics = *dialect;
  using sluice::testbed::read_endpoint_names;
  if (const auto error = read_endpoint_names(line.endpoints, &line.engine.endpoints)) {
    std::fprintf(stderr, "testbed-engine: %s\n", error->c_str());
    return 1;
  }
  return run(line);
}
