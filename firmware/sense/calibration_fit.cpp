#include "firmware/sense/calibration_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "firmware/sense/linear_system.h"

namespace sluice::sense {

namespace {

// The context term stays only if it takes away this share of the squared errors.
constexpr double kKvExplains = 0.5;
// A step is taken for one that carries prefill if it is longer than the quiet one by this share of
// the longest; shorter ones are the rest of a prompt, or noise.
constexpr double kFullChunk = 0.8;

// A smaller pivot is rounding.
constexpr double kPivotMin = 1e-12;

using Costs = Row<3>;

// Tokens in thousands, so that the unknowns are of one size.
Costs terms(const DecodeWindow& window) { return {1, window.sequences, window.kv_tokens / 1000}; }

std::optional<Costs> least_squares(const std::vector<DecodeWindow>& windows, size_t unknowns) {
  std::array<Costs, 3> a{};
  Costs b{};
  for (const DecodeWindow& window : windows) {
    Costs t = terms(window);
    for (double& term : t) term /= window.step_us;
    for (size_t i = 0; i < 3; ++i) {
      for (size_t j = 0; j < 3; ++j) a[i][j] += t[i] * t[j];
      b[i] += t[i];
    }
  }
  return solve_linear(a, b, kPivotMin, unknowns);
}

double squared_errors(const std::vector<DecodeWindow>& windows, const Costs& x) {
  double sum = 0;
  for (const DecodeWindow& window : windows) {
    const Costs t = terms(window);
    const double error = (x[0] * t[0] + x[1] * t[1] + x[2] * t[2]) / window.step_us - 1;
    sum += error * error;
  }
  return sum;
}

bool is_physical(const Costs& x) { return x[0] >= 0 && x[1] >= 0 && x[2] >= 0; }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::optional<DecodeFit> fit_decode(const std::vector<DecodeWindow>& windows) {
  std::set<double> loads;
  for (const DecodeWindow& window : windows) {
    if (!(window.step_us > 0)) return std::nullopt;
    loads.insert(window.sequences);
  }
  if (loads.size() < 2) return std::nullopt;
  std::optional<Costs> x = least_squares(windows, 2);
  if (!x) return std::nullopt;
  if (!is_physical(*x)) {  // steps that do not grow with the batch: their mean is all there is
    double sum = 0;
    for (const DecodeWindow& window : windows) sum += window.step_us;
    x = Costs{sum / static_cast<double>(windows.size()), 0, 0};
  }
  const std::optional<Costs> with_kv = loads.size() > 2 ? least_squares(windows, 3) : std::nullopt;
  if (with_kv && is_physical(*with_kv) &&
      squared_errors(windows, *with_kv) < (1 - kKvExplains) * squared_errors(windows, *x)) {
    x = with_kv;
  }
  const double mean = squared_errors(windows, *x) / static_cast<double>(windows.size());
  return DecodeFit{(*x)[0], (*x)[1], (*x)[2] / 1000, std::sqrt(mean)};
}

std::optional<PrefillFit> fit_prefill(const std::vector<PrefillTrial>& trials) {
  double added = 0;
  double tokens = 0;
  for (const PrefillTrial& trial : trials) {
    for (const double step : trial.steps_us) added += step - trial.quiet_us;
    tokens += static_cast<double>(trial.prompt_tokens);
  }
  if (!(added > 0) || !(tokens > 0)) return std::nullopt;
  PrefillFit fit;
  fit.us_per_token = added / tokens;
  std::vector<double> full;
  int64_t longest = 0;
  for (const PrefillTrial& trial : trials) {
    longest = std::max(longest, trial.prompt_tokens);
    double most = 0;
    for (const double step : trial.steps_us) most = std::max(most, step - trial.quiet_us);
    std::vector<double> whole;
    for (const double step : trial.steps_us) {
      if (step - trial.quiet_us >= kFullChunk * most) whole.push_back(step - trial.quiet_us);
    }
    // Cut: the longest step does not hold all of it.
    const double all = fit.us_per_token * static_cast<double>(trial.prompt_tokens);
    if (most > 0 && most < kFullChunk * all) {
      full.insert(full.end(), whole.begin(), whole.end());
    }
  }
  fit.is_at_least = full.empty();
  fit.chunk_tokens =
      full.empty() ? longest : std::llround(std::max(1.0, median(full) / fit.us_per_token));
  return fit;
}

}  // namespace sluice::sense
