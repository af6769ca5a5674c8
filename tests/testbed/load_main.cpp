// testbed-load: a load driver that checks every byte. See README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/testbed/load_driver.h"

namespace {

using namespace sluice::testbed;

struct CommandLine {
  LoadOptions load;
  std::string url;
  std::string key_file;
  std::string json_file;
  std::string records_file;
  std::string fail_on = "wrong_bytes";
  bool stream = true;
  bool mix = false;
  std::string usage = "always";
  std::string api = "chat";
  bool progress = false;
};

void add_load_options(CLI::App& app, CommandLine& line) {
  LoadOptions& load = line.load;
  app.add_option("--concurrency", load.concurrency, "closed loop of so many users")
      ->check(CLI::PositiveNumber);
  app.add_option("--rate", load.rate, "open loop: Poisson arrivals a second");
  app.add_option("--trace", load.trace, "open loop: arrivals from CSV or JSON lines");
  app.add_option("--time-scale", load.time_scale, "divide the trace's times by this")
      ->check(CLI::PositiveNumber);
  app.add_option("--ramp", load.ramp_s, "spread the users' start over so many seconds");
  app.add_option("--requests", load.requests, "stop after so many requests");
  app.add_option("--duration", load.duration_s, "start nothing after so many seconds");
  app.add_flag("--stream,!--no-stream", line.stream, "streams (default) or whole answers");
  app.add_flag("--mix", line.mix, "half of each");
  app.add_option("--usage", line.usage, "ask streams for usage: always, never, mix")
      ->check(CLI::IsMember({"always", "never", "mix"}));
  app.add_option("--max-tokens", load.max_tokens, "0: ask for no limit")->capture_default_str();
  app.add_option("--prompt-tokens", load.prompt_tokens)->capture_default_str();
  app.add_option("--timeout", load.timeout_s, "seconds a request may take")->capture_default_str();
  app.add_option("--abort-probability", load.abort_probability, "leave before the end");
  app.add_option("--abort-within", load.abort_within_s, "seconds; for whole answers");
  app.add_flag("--same-prompt", load.same_prompt, "all prompts are equal");
  app.add_flag("--any-answer", load.any_answer, "a real engine answers: its words are not checked");
  app.add_option("--seed", load.seed)->capture_default_str();
}

void add_other_options(CLI::App& app, CommandLine& line) {
  LoadOptions& load = line.load;
  app.add_option("--url", line.url, "http://host:port[/path before /v1]")->required();
  app.add_option("--key-file", line.key_file, "file with the API key");
  app.add_option("--model", load.model)->capture_default_str();
  app.add_option("--api", line.api, "chat or completions")
      ->check(CLI::IsMember({"chat", "completions"}));
  app.add_option("--header", load.headers, "\"Name: value\", repeatable");
  app.add_flag("--keep-alive", load.keep_alive, "use connections again");
  app.add_option("--json", line.json_file, "write the report here; - is stdout, without table");
  app.add_option("--records", line.records_file, "write a JSON line for each request here");
  app.add_option("--fail-on", line.fail_on, "outcomes that make the exit code 1")
      ->capture_default_str();
  app.add_flag("--progress", line.progress, "a line on stderr");
}

std::string complain(const std::string& text) { return "testbed-load: " + text + "\n"; }

bool split_url(const std::string& url, LoadOptions* load) {
  const std::string scheme = "http://";
  if (!url.starts_with(scheme)) return false;
  const std::size_t slash = std::min(url.find('/', scheme.size()), url.size());
  const std::string place = url.substr(scheme.size(), slash - scheme.size());
  const std::size_t colon = place.rfind(':');
  load->host = place.substr(0, colon);
  load->port = colon == std::string::npos ? "80" : place.substr(colon + 1);
  load->base_path = url.substr(slash);
  while (load->base_path.ends_with('/')) load->base_path.pop_back();
  return !load->host.empty();
}

// An error text for people.
std::string complete(CommandLine& line) {
  LoadOptions& load = line.load;
  using Mode = LoadOptions::Mode;
  if (!split_url(line.url, &load)) return complain("--url must be http://host:port");
  load.mode = line.mix ? Mode::mix : line.stream ? Mode::stream : Mode::whole;
  load.usage = line.usage == "always"  ? Mode::stream
               : line.usage == "never" ? Mode::whole
                                       : Mode::mix;
  load.chat = line.api == "chat";
  if (!line.key_file.empty()) {
    std::ifstream file(line.key_file);
    if (!(file >> load.key)) return complain("no key in " + line.key_file);
  }
  if (load.requests == 0 && load.duration_s <= 0 && load.trace.empty()) {
    return complain("one of --requests, --duration, --trace is needed");
  }
  return {};
}

std::string make_arrivals(const LoadOptions& load, std::unique_ptr<Arrivals>* arrivals) {
  if (!load.trace.empty()) {
    auto trace = std::make_unique<TraceArrivals>();
    if (const auto error = trace->load(load.trace, load.time_scale)) return complain(*error);
    *arrivals = std::move(trace);
  } else if (load.rate > 0) {
    *arrivals = std::make_unique<PoissonArrivals>(load.rate, load.seed);
  }
  return {};
}

void show_progress(Poller& poller, LoadDriver& driver) {
  const LoadReport& report = driver.report();
  const auto ended = static_cast<unsigned long long>(report.ended());
  const auto ok = static_cast<unsigned long long>(report.count("ok"));
  std::fprintf(stderr, "\r%6.0f s  ended %llu  ok %llu  other %llu  open %zu  token/s %.0f    ",
               driver.elapsed_s(), ended, ok, ended - ok, driver.open(),
               static_cast<double>(report.tokens()) / std::max(1.0, driver.elapsed_s()));
  poller.call_at(poller.now() + kSecond, [&] { show_progress(poller, driver); });
}

int exit_code(const LoadReport& report, const std::string& fail_on) {
  std::istringstream names(fail_on);
  std::string name;
  while (std::getline(names, name, ',')) {
    if (report.count(name) > 0) return 1;
  }
  return 0;
}

int tell(const CommandLine& line, const LoadReport& report) {
  const std::string json = report.to_json().dump(1) + "\n";
  if (line.json_file == "-") {
    std::fputs(json.c_str(), stdout);
  } else {
    std::fputs(report.table().c_str(), stdout);
  }
  if (!line.json_file.empty() && line.json_file != "-") {
    std::ofstream file(line.json_file);
    if (!(file << json).flush()) {
      std::fputs(complain("cannot write " + line.json_file).c_str(), stderr);
      return 2;
    }
  }
  return exit_code(report, line.fail_on);
}

int run(const CommandLine& line, const Target& target, std::unique_ptr<Arrivals> arrivals) {
  Poller poller;
  StopSignals stop(poller);
  LoadDriver driver(poller, line.load, target, std::move(arrivals));
  std::ofstream records;
  if (!line.records_file.empty()) {
    records.open(line.records_file);
    driver.set_on_record([&records](const LoadRequest& request, const LoadResult& result) {
      records << LoadReport::record(request, result).dump() << '\n';
    });
  }
  driver.begin();
  if (line.progress) show_progress(poller, driver);
  while (!driver.finished() && !stop.seen()) driver.run_once();
  if (stop.seen()) driver.stop();
  driver.report().set_duration(driver.elapsed_s());
  if (line.progress) std::fputc('\n', stderr);
  return tell(line, driver.report());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A load driver for OpenAI-compatible servers before a testbed-engine.");
  CommandLine line;
  add_other_options(app, line);
  add_load_options(app, line);
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  Target target;
  std::unique_ptr<Arrivals> arrivals;
  std::string error = complete(line);
  if (error.empty()) error = make_arrivals(line.load, &arrivals);
  if (error.empty()) {
    if (const auto unknown = resolve(line.load, &target)) error = complain(*unknown);
  }
  if (!error.empty()) {
    std::fputs(error.c_str(), stderr);
    return 2;
  }
  return run(line, target, std::move(arrivals));
}
