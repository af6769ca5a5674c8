// testbed-fast-load: a load driver that costs little. See README.md.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/testbed/fast_load.h"

namespace {

using namespace sluice::testbed;

struct CommandLine {
  FastLoadOptions load;
  std::string target;
  std::string key_file;
  std::string model = "stand-in";
  std::vector<std::string> headers;
  bool stream = false;
  int tokens = 16;
  int prompt_bytes = 256;
  int interval_us = 0;
};

// The event with the finish reason, and [DONE].
constexpr std::uint64_t kEventsBeyondTokens = 2;

void add_options(CLI::App& app, CommandLine& line) {
  FastLoadOptions& load = line.load;
  app.add_option("--target", line.target, "IPv4 address and port")->required();
  app.add_option("--key-file", line.key_file, "file with the API key");
  app.add_option("--model", line.model)->capture_default_str();
  app.add_option("--header", line.headers, "\"Name: value\", repeatable");
  app.add_flag("--stream", line.stream, "streams instead of whole answers");
  app.add_option("--tokens", line.tokens, "of an answer")->capture_default_str();
  app.add_option("--interval-us", line.interval_us, "between tokens of a stream; 0: all at once");
  app.add_option("--prompt-bytes", line.prompt_bytes)->capture_default_str();
  app.add_option("--concurrency", load.concurrency, "closed loop of so many users");
  app.add_option("--rate", load.rate, "open loop: Poisson arrivals a second");
  app.add_option("--ramp", load.ramp_s, "spread the users' start over so many seconds");
  app.add_option("--requests", load.requests, "start no more than these");
  app.add_option("--duration", load.duration_s, "start nothing after so many seconds");
  app.add_option("--warmup", load.warmup_s, "do not count what starts within so many seconds");
  app.add_option("--timeout", load.timeout_s, "seconds of silence")->capture_default_str();
  app.add_flag("--give-up", load.give_up, "end at the first failure");
  app.add_option("--seed", load.seed)->capture_default_str();
}

std::string request_of(const CommandLine& line, const std::string& key) {
  nlohmann::ordered_json body = {{"model", line.model}, {"max_tokens", line.tokens}};
  if (line.stream) body["stream"] = true;
  if (line.interval_us > 0) body["metadata"]["interval_us"] = std::to_string(line.interval_us);
  std::string prompt;
  while (prompt.size() < static_cast<std::size_t>(line.prompt_bytes)) prompt += "A measured word. ";
  body["messages"] = {{{"role", "user"}, {"content", prompt}}};
  const std::string text = body.dump();
  std::string head = fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\n", line.target);
  if (!key.empty()) head += fmt::format("Authorization: Bearer {}\r\n", key);
  for (const std::string& header : line.headers) head += header + "\r\n";
  return head + fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                            text.size(), text);
}

// An error text for people.
std::string complete(CommandLine& line) {
  const std::size_t colon = line.target.rfind(':');
  sockaddr_in& target = line.load.target;
  target.sin_family = AF_INET;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, line.target.substr(0, colon).c_str(), &target.sin_addr) != 1) {
    return "--target must be an IPv4 address and port";
  }
  target.sin_port = htons(static_cast<std::uint16_t>(std::stoi(line.target.substr(colon + 1))));
  std::string key;
  if (!line.key_file.empty()) {
    std::ifstream file(line.key_file);
    if (!(file >> key)) return "no key in " + line.key_file;
  }
  if (line.load.requests == 0 && line.load.duration_s <= 0) {
    return "one of --requests, --duration is needed";
  }
  const auto tokens = static_cast<std::uint64_t>(line.tokens);
  line.load.events = line.stream ? tokens + kEventsBeyondTokens : 0;
  line.load.bytes = line.stream ? 0 : tokens;
  line.load.request = request_of(line, key);
  return {};
}

nlohmann::json percentiles(std::vector<float> values) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end());
  const auto at = [&values](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  return {{"count", values.size()}, {"p50", at(0.5)},    {"p90", at(0.9)},
          {"p99", at(0.99)},        {"p999", at(0.999)}, {"max", values.back()}};
}

double own_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

nlohmann::json report_of(const FastLoad& load, int tokens_per_answer) {
  const FastLoadReport& report = load.report();
  const double seconds = load.counted_s();
  return {{"ok", report.ok},
          {"failed", report.failed},
          {"first_failure", report.first_failure},
          {"seconds", seconds},
          {"per_second", seconds > 0 ? static_cast<double>(report.ok) / seconds : 0},
          {"events", report.events},
          {"tokens", report.ok * tokens_per_answer},
          {"first_event_us", percentiles(report.first_event_us)},
          {"whole_us", percentiles(report.whole_us)},
          {"gap_us", percentiles(report.gap_us)},
          {"driver_cpu_s", own_cpu_s()}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A load driver that costs little, for measuring what it is pointed at.");
  CommandLine line;
  add_options(app, line);
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  if (const std::string error = complete(line); !error.empty()) {
    std::fprintf(stderr, "testbed-fast-load: %s\n", error.c_str());
    return 2;
  }
  Poller poller;
  StopSignals stop(poller);
  FastLoad load(poller, line.load);
  load.set_on_all_begun([] {
    std::puts("all begun");
    std::fflush(stdout);
  });
  load.begin();
  while (!load.finished() && !stop.seen()) poller.run_once(std::nullopt);
  std::puts(report_of(load, line.tokens).dump().c_str());
  return load.report().failed > 0 ? 1 : 0;
}
