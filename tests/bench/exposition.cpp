// How fast metrics pages are read: every page of a folder with all of its samples kept, and the one
// that a busy vLLM engine shows as the daemon reads it: sieved for what its driver asks for,
// parsed, and made into fields. CPU time of this process; the median of rounds. Prints one line of
// JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "firmware/box/driver_book.h"
#include "firmware/sense/engine_reading.h"
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

// `read` does with a page what is to be measured, and says how many samples it had.
template <class Read>
Speed measure(const std::vector<std::string>& pages, Read read) {
  std::vector<double> rounds;
  Speed speed;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = cpu_seconds();
    int times = 0;
    double taken = 0;
    do {
      speed.samples = 0;
      for (const std::string& page : pages) speed.samples += read(page);
      ++times;
      taken = cpu_seconds() - begin;
    } while (taken < kRoundSeconds);
    rounds.push_back(taken / times);
  }
  std::sort(rounds.begin(), rounds.end());
  speed.seconds = rounds[rounds.size() / 2];
  return speed;
}

sense::PageSieve sieved(std::string_view page, const sense::ExpositionLimits& limits) {
  sense::PageSieve sieve(limits.names, limits.bytes_max);
  for (; !page.empty(); page.remove_prefix(std::min(page.size(), kChunk))) {
    sieve.feed(page.substr(0, kChunk));
  }
  sieve.finish();
  return sieve;
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
  const Speed whole = measure(pages, [](const std::string& page) {
    const sense::PageSieve sieve = sieved(page, {});
    return sense::parse_exposition(sieve.text()).samples.size();
  });
  const Result<sense::DriverCatalog> drivers = box::built_in_drivers();
  if (!drivers) {
    std::fputs((drivers.error().text + "\n").c_str(), stderr);
    return 1;
  }
  const sense::DriverFacts& vllm = *drivers->engine("vllm");
  const Speed scrape = measure(busy, [&vllm](const std::string& page) {
    sense::ExpositionLimits limits;
    limits.names = vllm.series_names;
    const sense::PageSieve sieve = sieved(page, limits);
    const sense::Exposition read = sense::parse_exposition(sieve.text(), limits);
    return sense::read_engine(read, vllm).running ? read.samples.size() : 0;
  });
  fmt::print(
      "{{\"pages\":{},\"bytes\":{},\"samples\":{},\"mb_per_s\":{:.1f},\"scrape_bytes\":{},"
      "\"scrape_samples\":{},\"scrape_us\":{:.2f},\"core_percent\":{:.4f}}}\n",
      pages.size(), bytes, whole.samples, static_cast<double>(bytes) / whole.seconds / 1e6,
      busy[0].size(), scrape.samples, scrape.seconds * 1e6,
      scrape.seconds * kScrapesPerSecond * 100);
  return 0;
}
