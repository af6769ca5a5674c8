#include "tests/sim/trace.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace sluice::sim {

namespace {

constexpr double kOutputWeight = 4;
constexpr int64_t kPeakUs = 600'000'000;

}  // namespace

Result<Trace> read_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::gone, "trace", path + " cannot be read"};
  std::ostringstream text;
  text << file.rdbuf();
  return parse_trace(text.str());
}

Trace slice(const Trace& trace, int64_t from_us, int64_t length_us) {
  Trace cut;
  for (const Arrival& arrival : trace) {
    if (arrival.at_us < from_us || arrival.at_us >= from_us + length_us) continue;
    cut.push_back(arrival);
    cut.back().at_us -= from_us;
  }
  return cut;
}

int64_t peak_begin_us(const Trace& trace, const WorkLaw& law, int64_t length_us) {
  if (trace.empty()) return 0;
  std::vector<double> work(static_cast<size_t>(trace.back().at_us / kPeakUs) + 1);
  for (const Arrival& arrival : trace) {
    work[static_cast<size_t>(arrival.at_us / kPeakUs)] += work_seconds(arrival, law);
  }
  const auto peak = std::max_element(work.begin(), work.end()) - work.begin();
  const int64_t middle = peak * kPeakUs + kPeakUs / 2;
  const int64_t last = std::max<int64_t>(0, trace.back().at_us - length_us);
  return std::clamp<int64_t>(middle - length_us / 2, 0, last);
}

double weighted_tokens(const Arrival& arrival) {
  return static_cast<double>(arrival.prompt_tokens) +
         kOutputWeight * static_cast<double>(arrival.output_tokens);
}

}  // namespace sluice::sim
