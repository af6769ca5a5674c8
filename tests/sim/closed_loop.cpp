#include "tests/sim/closed_loop.h"

#include <span>

namespace sluice::sim {

Tally run_closed_loop(Site& site, int users, int requests, int64_t prompt, int64_t output) {
  constexpr Duration kLongest = Duration::seconds(48 * 3600);
  const size_t before = site.results().size();
  int left = requests;
  const auto ask = [&site, &left, prompt, output] {
    if (left-- > 0) site.open({0, prompt, output});
  };
  site.on_over = [&ask](const RequestResult&) { ask(); };
  for (int i = 0; i < users; ++i) ask();
  site.run_until_idle(kLongest);
  site.on_over = nullptr;
  return tally(std::span(site.results()).subspan(before), site.spec().level);
}

}  // namespace sluice::sim
