#include "tests/sim/foresight.h"

#include <algorithm>

#include "tests/script/memory.h"

namespace sluice::sim {

namespace {

struct Known {
  double at_s = 0;
  int64_t prompt = 0;
  int64_t output = 0;
  double weight = 0;
  double value = 0;  // weight per second of work
};

class Search {
 public:
  Search(const Trace& trace, const EngineLaw& law, Level level, const SearchEffort& effort)
      : effort_(effort), start_(law, level), marks_(trace.size()), chance_(effort.seed) {
    for (const Arrival& arrival : trace) {
      const double weight = weighted_tokens(arrival);
      known_.push_back({static_cast<double>(arrival.at_us) / 1e6, arrival.prompt_tokens,
                        arrival.output_tokens, weight, weight / work_seconds(arrival, law.work)});
    }
  }

  PlayedPlan play() const {
    PlayedPlan plan;
    ExactEngine engine = start_;
    double all = 0;
    double cloud = 0;
    int64_t sent = 0;
    for (size_t i = 0; i < known_.size(); ++i) {
      const bool here = serve(engine, i);
      plan.cloud.push_back(!here);
      all += known_[i].weight;
      if (!here) cloud += known_[i].weight;
      if (!here) ++sent;
    }
    engine.finish();
    plan.cost = all > 0 ? cloud / all : 0;
    plan.cloud_share =
        static_cast<double>(sent) / static_cast<double>(std::max<size_t>(1, known_.size()));
    plan.missed = engine.missed();
    return plan;
  }

  void sweep() {
    ExactEngine engine = start_;
    for (size_t first = 0; first < known_.size();) {
      const double from = known_[first].at_s;
      improve(engine, first, before(first, from + effort_.window_s),
              before(first, from + effort_.window_s + effort_.beyond_s));
      const size_t next = before(first, from + effort_.stride_s);
      for (; first < next; ++first) serve(engine, first);
    }
  }

 private:
  bool serve(ExactEngine& engine, size_t i) const {
    const Known& one = known_[i];
    engine.advance(one.at_s);
    if (marks_[i] || !engine.fits(one.at_s, one.prompt, one.output)) return false;
    engine.submit(one.at_s, one.prompt, one.output);
    return true;
  }

  // The first after `first` that comes at `at_s` or later.
  size_t before(size_t first, double at_s) const {
    size_t last = first + 1;
    while (last < known_.size() && known_[last].at_s < at_s) ++last;
    return std::min(last, known_.size());
  }

  double lost(ExactEngine engine, size_t first, size_t last, double most) const {
    double weight = 0;
    for (size_t i = first; i < last && weight < most; ++i) {
      if (!serve(engine, i)) weight += known_[i].weight;
    }
    return weight;
  }

  void change(size_t first, size_t last) {
    const size_t count = last - first;
    const uint64_t kind = chance_.next() % 8;
    if (kind == 0) {
      std::fill_n(marks_.begin() + static_cast<ptrdiff_t>(first), count, false);
    } else if (kind <= 3) {
      const double least = known_[first + chance_.next() % count].value;
      for (size_t i = first; i < last; ++i) marks_[i] = known_[i].value < least;
    } else {
      for (uint64_t flips = 1 + chance_.next() % 3; flips > 0; --flips) {
        const size_t i = first + chance_.next() % count;
        marks_[i] = !marks_[i];
      }
    }
  }

  void improve(const ExactEngine& engine, size_t first, size_t last, size_t horizon) {
    std::vector<bool> best(marks_.begin() + static_cast<ptrdiff_t>(first),
                           marks_.begin() + static_cast<ptrdiff_t>(last));
    double least = lost(engine, first, horizon, 1e300);
    for (int i = 0; i < effort_.changes && least > 0; ++i) {
      std::copy(best.begin(), best.end(), marks_.begin() + static_cast<ptrdiff_t>(first));
      change(first, last);
      const double weight = lost(engine, first, horizon, least);
      if (weight >= least) continue;
      least = weight;
      best.assign(marks_.begin() + static_cast<ptrdiff_t>(first),
                  marks_.begin() + static_cast<ptrdiff_t>(last));
    }
    std::copy(best.begin(), best.end(), marks_.begin() + static_cast<ptrdiff_t>(first));
  }

  SearchEffort effort_;
  ExactEngine start_;
  std::vector<Known> known_;
  std::vector<bool> marks_;
  script::SimRandom chance_;
};

}  // namespace

PlayedPlan greedy_plan(const Trace& trace, const EngineLaw& law, Level level) {
  return Search(trace, law, level, {}).play();
}

PlayedPlan best_plan(const Trace& trace, const EngineLaw& law, Level level,
                     const SearchEffort& effort) {
  Search search(trace, law, level, effort);
  PlayedPlan best = search.play();
  for (int i = 0; i < effort.sweeps; ++i) {
    search.sweep();
    PlayedPlan plan = search.play();
    if (plan.cost < best.cost) best = std::move(plan);
  }
  return best;
}

}  // namespace sluice::sim
