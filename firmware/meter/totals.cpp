#include "firmware/meter/totals.h"

#include <algorithm>

namespace sluice::meter {

namespace {

constexpr int64_t kUsPerSecond = 1'000'000;

Distribution with_bounds(std::vector<double> bounds) {
  Distribution made;
  made.counts.assign(bounds.size() + 1, 0);
  made.bounds = std::move(bounds);
  return made;
}

Distribution of_tokens() {
  std::vector<double> bounds;
  for (int64_t bound = 1; bound <= 67'108'864; bound *= 4) {
    bounds.push_back(static_cast<double>(bound));
  }
  return with_bounds(std::move(bounds));
}

Distribution of_durations() {
  std::vector<double> bounds;
  for (int64_t hundredths = 1; hundredths <= 8192; hundredths *= 2) {
    bounds.push_back(static_cast<double>(hundredths) / 100);
  }
  return with_bounds(std::move(bounds));
}

NodeModelTotals empty_totals() {
  NodeModelTotals made;
  made.duration = of_durations();
  made.ttft = with_bounds(
      {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10});
  made.tpot = with_bounds({0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5});
  made.in_per_request = of_tokens();
  made.out_per_request = of_tokens();
  return made;
}

bool reached_client(Outcome outcome) {
  return outcome == Outcome::served || outcome == Outcome::client_gone || outcome == Outcome::cut;
}

// Only a stream has a first token and a pace: a whole answer's first byte is its end.
void add_pace(NodeModelTotals& totals, const AttemptEnd& end, Tokens out) {
  if (end.out_counted.count <= 0 || end.first_byte.is_zero()) return;
  totals.ttft.add(end.first_byte.as_seconds());
  if (end.outcome != Outcome::served || out.count < 2) return;
  totals.tpot.add((end.total - end.first_byte).as_seconds() / static_cast<double>(out.count - 1));
}

void add_place(Share& share, const AttemptStart& start, const AttemptEnd& end, Tokens tokens) {
  const int64_t request = reached_client(end.outcome) ? 1 : 0;
  if (start.place == valve::Place::local) {
    share.local_requests += request;
    share.local_tokens += tokens.count;
    return;
  }
  share.cloud_requests += request;
  share.cloud_tokens += tokens.count;
  share.cloud_cost = share.cloud_cost + cost_of(start, end);
}

}  // namespace

void Distribution::add(double value) {
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
  ++counts[static_cast<size_t>(bound - bounds.begin())];
  sum += value;
  ++total;
}

NodeModelTotals& Totals::of(const AttemptStart& start) {
  NodeModel name{start.node, start.model, start.place};
  const auto found = all_.find(name);
  if (found != all_.end()) return found->second;
  if (all_.size() >= kNodeModelsMax) name.model = kOtherModels;
  return all_.try_emplace(std::move(name), empty_totals()).first->second;
}

Share& Totals::second_of(Instant now) {
  const int64_t number = now.as_us() / kUsPerSecond;
  Second& second = seconds_[static_cast<size_t>(number % kShareSeconds)];
  if (second.number != number) second = {number, {}};
  return second.share;
}

void Totals::add(const AttemptStart& start, const AttemptEnd& end, Instant now) {
  const BilledTokens billed = billed_tokens(start, end);
  NodeModelTotals& totals = of(start);
  ++totals.attempts[static_cast<size_t>(end.outcome)];
  totals.in_tokens += billed.in.count;
  totals.out_tokens += billed.out.count;
  totals.cached_tokens += billed.cached.count;
  totals.cost = totals.cost + cost_of(start, end);
  totals.duration.add(end.total.as_seconds());
  add_pace(totals, end, billed.out);
  if (billed.in.count > 0) totals.in_per_request.add(static_cast<double>(billed.in.count));
  if (billed.out.count > 0) totals.out_per_request.add(static_cast<double>(billed.out.count));
  add_place(second_of(now), start, end, billed.in + billed.out);
}

Share Totals::share(Instant now) const {
  const int64_t newest = now.as_us() / kUsPerSecond;
  Share sum;
  sum.window = Duration::seconds(kShareSeconds);
  for (const Second& second : seconds_) {
    if (second.number < 0 || second.number <= newest - kShareSeconds) continue;
    sum.local_requests += second.share.local_requests;
    sum.cloud_requests += second.share.cloud_requests;
    sum.local_tokens += second.share.local_tokens;
    sum.cloud_tokens += second.share.cloud_tokens;
    sum.cloud_cost = sum.cloud_cost + second.share.cloud_cost;
  }
  return sum;
}

}  // namespace sluice::meter
