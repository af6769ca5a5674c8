// An engine in virtual time that serves us and others, first come first served, so many at once;
// what is true of it stands beside what is estimated. Chance is a seed.
#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "firmware/sense/queue_estimate.h"

namespace sluice::sense {

class SharedEngine {
 public:
  static constexpr int64_t kTick = 5000;  // microseconds: a step of the engine

  struct Load {
    int slots = 24;
    double own_rate = 14;    // requests a second
    double past_rate = 6;    // of the others
    double service_s = 0.8;  // in the batch, half to three halves
    int tokens = 40;
  };
  struct Scene {
    int64_t at = 0;
    int running = 0;
    int waiting = 0;
    double generated = 0;
    double counted = 0;
  };

  SharedEngine(const Load& load, uint64_t seed) : load_(load), state_(seed * 7919 + 17) {}

  Load& load() { return load_; }
  QueueEstimate& estimate() { return estimate_; }
  Instant now() const { return Instant::from_us(now_); }
  int own() const { return own_; }
  const Scene& scene() const { return scene_; }
  int present() const { return scene_.running + scene_.waiting; }

  // A page as of so long ago.
  QueuePage page(Duration lag = {}) const {
    const Scene* shown = &scene_;
    for (const Scene& past : past_) {
      if (past.at <= now_ - lag.as_us()) shown = &past;
    }
    QueuePage page;
    page.asked = page.made = page.heard = now();
    page.running = shown->running;
    page.waiting = shown->waiting;
    page.generated = shown->generated;
    page.counted = shown->counted;
    return page;
  }

  // One tick: arrivals, ends, admissions, tokens.
  void advance() {
    now_ += kTick;
    const double seconds = static_cast<double>(kTick) / 1e6;
    if (chance() < load_.own_rate * seconds) arrive(true);
    if (chance() < load_.past_rate * seconds) arrive(false);
    work();
    while (!queue_.empty() && static_cast<int>(batch_.size()) < load_.slots) {
      batch_.push_back(queue_.front());
      queue_.pop_front();
    }
    scene_.at = now_;
    scene_.running = static_cast<int>(batch_.size());
    scene_.waiting = static_cast<int>(queue_.size());
    past_.push_back(scene_);
    while (past_.size() > 36'000'000 / kTick) past_.pop_front();
  }

 private:
  struct Request {
    bool ours = false;
    Instant sent;
    Instant first;
    int64_t gap_us = 0;
    int64_t next_us = 0;
    int left = 0;
  };

  double chance() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }

  void arrive(bool ours) {
    Request made;
    made.ours = ours;
    made.sent = now();
    made.left = static_cast<int>(load_.tokens * (0.5 + chance()));
    made.gap_us = static_cast<int64_t>(load_.service_s / load_.tokens * 1e6);
    queue_.push_back(made);
    if (!ours) return;
    ++own_;
    estimate_.sent(now());
  }

  void work() {
    std::vector<Request> kept;
    for (Request& request : batch_) {
      if (request.next_us == 0) request.next_us = now_ + request.gap_us;
      if (now_ < request.next_us) {
        kept.push_back(request);
        continue;
      }
      request.next_us += request.gap_us;
      ++scene_.generated;
      ++scene_.counted;
      const bool first = request.first == Instant();
      if (first) request.first = now();
      if (request.ours && first) estimate_.began(request.sent, now());
      if (request.ours && !first) estimate_.tokens(1);
      if (--request.left > 0) {
        kept.push_back(request);
      } else if (request.ours) {
        --own_;
        estimate_.ended(request.first, true, now());
      }
    }
    batch_ = std::move(kept);
  }

  Load load_;
  uint64_t state_;
  int64_t now_ = 1'000'000'000;
  QueueEstimate estimate_;
  std::deque<Request> queue_;
  std::vector<Request> batch_;
  int own_ = 0;
  Scene scene_;
  std::deque<Scene> past_;
};

// How often an estimate is within max(2 requests, 20 %) of the truth, sampled each 100 ms.
struct Nearness {
  int samples = 0;
  int present_near = 0;
  int waiting_near = 0;
  double present_error = 0;
  double waiting_error = 0;

  void add(double truth_present, double truth_waiting, double present, double waiting) {
    const auto near = [](double truth, double told) {
      return std::abs(truth - told) <= std::max(2.0, 0.2 * truth);
    };
    ++samples;
    present_near += near(truth_present, present) ? 1 : 0;
    waiting_near += near(truth_waiting, waiting) ? 1 : 0;
    present_error += std::abs(truth_present - present);
    waiting_error += std::abs(truth_waiting - waiting);
  }
  double present_share() const { return static_cast<double>(present_near) / samples; }
  double waiting_share() const { return static_cast<double>(waiting_near) / samples; }
  double mean_error() const { return present_error / samples; }
};

}  // namespace sluice::sense
