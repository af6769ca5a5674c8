// sim: random cases of the simulated world, each from its seed alone.
//
//   sim [--case FAMILY] (--seed N | --seeds A..B) [--hashes] [--once] [--tell]
//
// --seed N      one case, told in words
// --seeds A..B  all of them; the first that breaks a rule ends the program with status 1
// --hashes      prints a line for each seed: its number and the hash of its trace
// --tell        every decision and every end, in words
// --once        a case is not run a second time to compare its traces
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/sim_case.h"

namespace {

using sluice::sim::CaseOutcome;
using sluice::sim::SimCase;

struct Options {
  std::string family = "any";
  uint64_t first = 0;
  uint64_t last = 0;
  bool one = false;
  bool hashes = false;
  bool once = false;
  bool tell = false;
};

bool read_number(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_range(std::string_view text, Options* options) {
  const size_t dots = text.find("..");
  return dots != text.npos && read_number(text.substr(0, dots), &options->first) &&
         read_number(text.substr(dots + 2), &options->last) && options->first <= options->last;
}

bool read_options(const std::vector<std::string_view>& words, Options* options) {
  bool seeded = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view value = i + 1 < words.size() ? words[i + 1] : std::string_view();
    if (words[i] == "--hashes") {
      options->hashes = true;
    } else if (words[i] == "--once") {
      options->once = true;
    } else if (words[i] == "--tell") {
      options->tell = true;
    } else if (words[i] == "--case") {
      options->family = value;
      ++i;
    } else if (words[i] == "--seed" && read_number(value, &options->first)) {
      options->last = options->first;
      options->one = seeded = true;
      ++i;
    } else if (words[i] == "--seeds" && read_range(value, options)) {
      seeded = true;
      ++i;
    } else {
      return false;
    }
  }
  return seeded && sluice::sim::draw_case(options->family, 1).has_value();
}

void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// Empty: all held.
std::string run_seed(const Options& options, uint64_t seed, int64_t* tokens) {
  const SimCase drawn = *sluice::sim::draw_case(options.family, seed);
  if (options.one) say(describe(drawn));
  std::function<void(const std::string&)> tell;
  if (options.tell) tell = [](const std::string& line) { say(line + "\n"); };
  const CaseOutcome first = sluice::sim::run_case(drawn, tell);
  *tokens += first.output_tokens;
  if (options.hashes) say(fmt::format("{} {:016x}\n", seed, first.trace_hash));
  if (options.one) {
    const sluice::sim::Tally& sum = first.tally;
    say(
        fmt::format("{} requests in {:.0f} s: {} served, {} within the service level, {} in the "
                    "cloud, {} left, {} retries; hash {:016x}\n",
                    sum.requests + sum.left, first.lasted.as_seconds(), sum.served, sum.kept,
                    sum.in_cloud, sum.left, first.retries, first.trace_hash));
  }
  std::string trouble;
  for (const std::string& violation : first.violations) trouble += "  " + violation + "\n";
  if (!trouble.empty() || options.once) return trouble;
  const CaseOutcome second = sluice::sim::run_case(drawn);
  return first.trace_hash == second.trace_hash ? "" : "  a second run has another trace\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options({argv + 1, argv + argc}, &options)) {
    std::string known;
    for (const std::string_view family : sluice::sim::families())
      known += fmt::format(" {}", family);
    std::fputs(("sim: sim [--case FAMILY] (--seed N | --seeds A..B) [--hashes] [--once] "
                "[--tell]\nfamilies:" +
                known + "\n")
                   .c_str(),
               stderr);
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  int64_t tokens = 0;
  for (uint64_t seed = options.first; seed <= options.last; ++seed) {
    const std::string trouble = run_seed(options, seed, &tokens);
    if (trouble.empty()) continue;
    const std::string commit = SLUICE_COMMIT;
    say(fmt::format("sim: FAILED: case {} seed {} commit {}\n{}again: sim --case {} --seed {}\n",
                    options.family, seed, commit, trouble, options.family, seed));
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  if (!options.hashes) {
    say(fmt::format("sim: case {}, seeds {} to {} hold; {} tokens, {:.1f} s\n", options.family,
                    options.first, options.last, tokens, took.count()));
  }
  return 0;
}
