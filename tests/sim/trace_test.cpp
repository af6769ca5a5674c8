#include "tests/sim/trace.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/sim/synthetic.h"

using namespace sluice;
using namespace sluice::sim;

namespace {

constexpr WorkLaw kTwoCards{0.012794, 0.0002075, 4.096e-8, 0.0004029};
constexpr int64_t kHourUs = 3'600'000'000;

std::string file(const std::string& name) {
  const std::string here = __FILE__;
  return here.substr(0, here.rfind("tests/sim/")) + "tests/data/traces/" + name;
}

Trace recorded(const std::string& name) {
  const Result<Trace> read = read_trace(file(name));
  REQUIRE_MESSAGE(read.has_value(), name);
  return *read;
}

double gap_variation(const Trace& trace) {
  double sum = 0;
  double square = 0;
  for (size_t i = 1; i < trace.size(); ++i) {
    const auto gap = static_cast<double>(trace[i].at_us - trace[i - 1].at_us);
    sum += gap;
    square += gap * gap;
  }
  const auto n = static_cast<double>(trace.size() - 1);
  return std::sqrt(square / n - sum / n * sum / n) / (sum / n);
}

}  // namespace

TEST_CASE("trace: each recording is read whole") {
  const Trace conv = recorded("azure2023_conv.csv");
  CHECK(conv.size() == 19366);
  CHECK(conv[0] == Arrival{0, 0, 374, 44, {}});
  CHECK(conv[1] == Arrival{4314579, 0, 396, 109, {}});
  const Trace r1 = recorded("servegen_r1_24h_x0.05.csv");
  CHECK(r1.size() == 69568);
  CHECK(r1[3] == Arrival{104000, 35, 57, 244, {}});
  const Trace shared = recorded("mooncake_synthetic.jsonl");
  CHECK(shared.size() == 3993);
  CHECK(shared[0].prompt_tokens == 40160);
  CHECK(shared[0].blocks.size() == 79);
}

TEST_CASE("trace: a file that is not there is told as gone") {
  CHECK(read_trace("/nowhere").error().kind == ErrorKind::gone);
}

TEST_CASE("trace: the work of a request is its prefill and its share of every step") {
  const Arrival arrival{0, 0, 1000, 200, {}};
  CHECK(work_seconds(arrival, kTwoCards) ==
        doctest::Approx(0.4029 + 200 * (0.0002075 + 4.096e-8 * 1100)));
  CHECK(weighted_tokens(arrival) == 1800);
}

TEST_CASE("trace: stretched time gives the wanted load and changes nothing else") {
  const Trace conv = recorded("azure2023_conv.csv");
  for (const double rho : {0.7, 1.0, 1.5}) {
    const Trace stretched = dilated(conv, kTwoCards, rho);
    CHECK(offered_load(stretched, kTwoCards) == doctest::Approx(rho).epsilon(1e-6));
    CHECK(stretched.size() == conv.size());
    CHECK(gap_variation(stretched) == doctest::Approx(gap_variation(conv)).epsilon(1e-3));
  }
}

TEST_CASE("trace: a slice around the peak holds the heaviest ten minutes in its middle") {
  Trace day;
  for (int64_t minute = 0; minute < 24 * 60; ++minute) {
    const int64_t copies = minute / 10 == 100 ? 5 : 1;
    for (int64_t i = 0; i < copies; ++i) day.push_back({minute * 60'000'000, 0, 1000, 100, {}});
  }
  const int64_t begin = peak_begin_us(day, kTwoCards, 3 * kHourUs);
  CHECK(begin == 1005ll * 60'000'000 - 3 * kHourUs / 2);
  const Trace cut = slice(day, begin, 3 * kHourUs);
  CHECK(cut.front().at_us >= 0);
  CHECK(cut.back().at_us < 3 * kHourUs);
  CHECK(cut.size() == 180 + 40);
  CHECK(peak_begin_us(slice(day, begin, 3 * kHourUs), kTwoCards, 24 * kHourUs) == 0);
}

TEST_CASE("synthetic arrivals: the same seed gives the same, another seed others") {
  CHECK(code_like(2.5, 600, 7) == code_like(2.5, 600, 7));
  CHECK(code_like(2.5, 600, 7) != code_like(2.5, 600, 8));
  CHECK(diurnal(0.8, 7200, 7) == diurnal(0.8, 7200, 7));
}

TEST_CASE("synthetic arrivals: code comes in bursts, a day has a noon") {
  const Trace code = code_like(2.5, 48 * 3600, 1);
  CHECK(static_cast<double>(code.size()) == doctest::Approx(2.5 * 48 * 3600).epsilon(0.1));
  CHECK(gap_variation(code) > 10);
  CHECK(gap_variation(code) < 16);
  const Trace day = diurnal(0.8, 24 * 3600, 1);
  CHECK(static_cast<double>(day.size()) == doctest::Approx(0.8 * 24 * 3600).epsilon(0.05));
  const size_t night = slice(day, 0, 2 * kHourUs).size();
  const size_t noon = slice(day, 11 * kHourUs, 2 * kHourUs).size();
  CHECK(noon > 4 * night);
}
