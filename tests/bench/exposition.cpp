// How fast metrics pages are read: every page of a folder with all of its samples kept, and the one
// that a busy vLLM engine shows as the daemon reads it, only what its driver asks for. CPU time of
// this process; the median of rounds. Prints one line of JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "firmware/sense/exposition.h"
#include "firmware/sense/page_sieve.h"

namespace {

using namespace sluice;

constexpr size_t kChunk = 64 * 1024;  // as a socket gives it
constexpr int kRounds = 15;
constexpr double kRoundSeconds = 0.05;
constexpr double kScrapesPerSecond = 16 * 4;  // nodes, each four times a second

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Speed {
  double seconds = 0;  // for all pages once
  size_t samples = 0;  // in them
};

Speed measure(const std::vector<std::string>& pages, const sense::ExpositionLimits& limits) {
  std::vector<double> rounds;
  Speed speed;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = cpu_seconds();
    int times = 0;
    double taken = 0;
    do {
      speed.samples = 0;
      for (const std::string& page : pages) {
        sense::PageSieve sieve(limits.names, limits.bytes_max);
        std::string_view rest = page;
        for (; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kChunk))) {
          sieve.feed(rest.substr(0, kChunk));
        }
        sieve.finish();
        speed.samples += sense::parse_exposition(sieve.text(), limits).samples.size();
      }
      ++times;
      taken = cpu_seconds() - begin;
    } while (taken < kRoundSeconds);
    rounds.push_back(taken / times);
  }
  std::sort(rounds.begin(), rounds.end());
  speed.seconds = rounds[rounds.size() / 2];
  return speed;
}

// What drivers/engines/vllm.yaml asks of a page, about.
std::vector<std::string> wanted_names() {
  std::vector<std::string> names = {"vllm:num_requests_running",    "vllm:num_requests_waiting",
                                    "vllm:kv_cache_usage_perc",     "vllm:prompt_tokens_total",
                                    "vllm:generation_tokens_total", "vllm:num_preemptions_total",
                                    "vllm:engine_sleep_state"};
  for (const char* histogram :
       {"vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds",
        "vllm:request_queue_time_seconds"}) {
    for (const char* part : {"_bucket", "_sum", "_count"}) {
      names.push_back(std::string(histogram) + part);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("bench-exposition FOLDER_OF_PAGES, e.g. tests/data/metrics\n", stderr);
    return 2;
  }
  std::vector<std::string> pages;
  std::vector<std::string> busy;
  size_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() != ".prom") continue;
    pages.push_back(file_text(entry.path()));
    bytes += pages.back().size();
    if (entry.path().filename() == "vllm-v1-saturated.prom") busy.push_back(pages.back());
  }
  if (busy.empty()) {
    std::fputs("bench-exposition: no vllm-v1-saturated.prom in that folder\n", stderr);
    return 1;
  }
  const Speed whole = measure(pages, {});
  const std::vector<std::string> names = wanted_names();
  sense::ExpositionLimits limits;
  limits.names = names;
  const Speed scrape = measure(busy, limits);
  fmt::print(
      "{{\"pages\":{},\"bytes\":{},\"samples\":{},\"mb_per_s\":{:.1f},\"scrape_bytes\":{},"
      "\"scrape_samples\":{},\"scrape_us\":{:.2f},\"core_percent\":{:.4f}}}\n",
      pages.size(), bytes, whole.samples, static_cast<double>(bytes) / whole.seconds / 1e6,
      busy[0].size(), scrape.samples, scrape.seconds * 1e6,
      scrape.seconds * kScrapesPerSecond * 100);
  return 0;
}
