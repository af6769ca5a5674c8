#include "firmware/sense/tpot_curve.h"

#include <algorithm>
#include <cmath>

namespace sluice::sense {

namespace {

constexpr int kExactUpTo = 16;
// A gap beyond this many times the mean counts as that: one stall is not a rate.
constexpr double kOutlier = 4;
// A mean below this is of tokens that came in one piece: it says nothing about outliers.
constexpr double kOutlierFromUs = 1000;
// Points that lie this close to the line between their neighbours tell nothing.
constexpr double kStraight = 0.01;

struct Pool {
  double concurrency = 0;
  double mean_us = 0;
  double weight = 0;
};

std::vector<valve::TpotPoint> rounded(const std::vector<Pool>& steps) {
  std::vector<valve::TpotPoint> points;
  for (const Pool& step : steps) {
    const int at = static_cast<int>(std::lround(step.concurrency));
    const Duration tpot = Duration::us(std::llround(step.mean_us));
    if (!points.empty() && points.back().concurrency == at) {
      points.back().tpot = std::max(points.back().tpot, tpot);
    } else {
      points.push_back({at, tpot});
    }
  }
  return points;
}

bool is_on_line(const valve::TpotPoint& a, const valve::TpotPoint& b, const valve::TpotPoint& c) {
  const double part = static_cast<double>(b.concurrency - a.concurrency) /
                      static_cast<double>(c.concurrency - a.concurrency);
  const double line =
      static_cast<double>(a.tpot.as_us()) + part * static_cast<double>((c.tpot - a.tpot).as_us());
  return std::abs(line - static_cast<double>(b.tpot.as_us())) <= kStraight * line;
}

// Whether all points between the two tell nothing.
bool is_straight(const std::vector<valve::TpotPoint>& points, size_t from, size_t to) {
  for (size_t i = from + 1; i < to; ++i) {
    if (!is_on_line(points[from], points[i], points[to])) return false;
  }
  return true;
}

void thin(std::vector<valve::TpotPoint>& points) {
  if (points.size() > valve::kTpotPointsMax / 2) {
    std::vector<valve::TpotPoint> kept = {points.front()};
    size_t from = 0;
    for (size_t to = 1; to < points.size(); ++to) {
      if (to + 1 < points.size() && is_straight(points, from, to + 1)) continue;
      kept.push_back(points[to]);
      from = to;
    }
    points = std::move(kept);
  }
  if (points.size() > valve::kTpotPointsMax) {  // the crowded end is where decisions are made
    points.erase(points.begin(), points.end() - valve::kTpotPointsMax);
  }
}

}  // namespace

int TpotCurve::bucket_of(int concurrency) {
  if (concurrency <= kExactUpTo) return concurrency;
  return kExactUpTo +
         static_cast<int>(16 * std::log(static_cast<double>(concurrency) / kExactUpTo));
}

void TpotCurve::learn(int concurrency, Duration gap, double weight, Instant now) {
  if (concurrency < 1 || gap.as_us() < 0 || weight <= 0) return;
  concurrency = std::min(concurrency, kConcurrencyMax);
  Bucket& bucket = buckets_[bucket_of(concurrency)];
  if (now - bucket.last > memory_) bucket = Bucket();
  double us = static_cast<double>(gap.as_us());
  if (bucket.weight >= kWeightMin)
    us = std::min(us, kOutlier * std::max(bucket.mean_us, kOutlierFromUs));
  bucket.weight = std::min(bucket.weight + weight, kWeightMax);
  const double part = std::min(1.0, weight / bucket.weight);
  bucket.mean_us += (us - bucket.mean_us) * part;
  bucket.mean_concurrency += (concurrency - bucket.mean_concurrency) * part;
  bucket.last = now;
}

std::vector<valve::TpotPoint> TpotCurve::points(Instant now) const {
  std::vector<Pool> pools;      // rising means
  std::vector<size_t> members;  // how many buckets each pool holds
  std::vector<double> at;
  for (const auto& [index, bucket] : buckets_) {
    if (bucket.weight < kWeightMin || now - bucket.last > memory_) continue;
    at.push_back(bucket.mean_concurrency);
    pools.push_back({bucket.mean_concurrency, bucket.mean_us, bucket.weight});
    members.push_back(1);
    while (pools.size() > 1 && pools[pools.size() - 2].mean_us > pools.back().mean_us) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& into = pools.back();
      const double weight = into.weight + last.weight;
      into.mean_us = (into.mean_us * into.weight + last.mean_us * last.weight) / weight;
      into.weight = weight;
      members[members.size() - 2] += members.back();
      members.pop_back();
    }
  }
  std::vector<Pool> steps;  // each bucket at its own place, with its pool's mean
  size_t next = 0;
  for (size_t i = 0; i < pools.size(); ++i) {
    for (size_t k = 0; k < members[i]; ++k) steps.push_back({at[next++], pools[i].mean_us, 1});
  }
  std::vector<valve::TpotPoint> points = rounded(steps);
  thin(points);
  return points;
}

}  // namespace sluice::sense
