#include "firmware/sense/window.h"

#include <algorithm>
#include <vector>

namespace sluice::sense {

void Window::add(Duration value, Instant now) {
  while (!seen_.empty() && (now - seen_.front().at > length_ || seen_.size() >= kObservationsMax)) {
    seen_.pop_front();
  }
  seen_.push_back({value, now});
}

size_t Window::count(Instant now) const {
  const auto first = std::find_if(seen_.begin(), seen_.end(),
                                  [&](const Observation& one) { return now - one.at <= length_; });
  return static_cast<size_t>(seen_.end() - first);
}

std::optional<Duration> Window::quantile(double q, Instant now) const {
  std::vector<Duration> values;
  for (const Observation& observation : seen_) {
    if (now - observation.at <= length_) values.push_back(observation.value);
  }
  if (values.empty()) return std::nullopt;
  const double place = std::clamp(q, 0.0, 1.0) * static_cast<double>(values.size() - 1) + 0.5;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace sluice::sense
