// A site in virtual time: one local engine and two cloud nodes (the testbed's engine model), users
// who each ask again as soon as they are answered, and the real decision, reservation and learning
// code in between. No socket, no clock: the same seed gives the same trace, bit for bit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "firmware/sense/senses.h"
#include "firmware/valve/decide.h"
#include "tests/testbed/engine_model.h"

namespace sluice::sim {

struct SiteOptions {
  bool overflow = true;
  bool hold = true;
  uint64_t seed = 1;
  valve::ServiceLevel level{Duration::seconds(10), Duration::ms(900)};
  Duration scrape = Duration::ms(500);
  Duration learn = Duration::ms(250);
};

struct LoadResult {
  int requests = 0;
  int cloud = 0;
  double mean_s = 0;
  double p95_s = 0;
  int64_t cloud_cost_nano = 0;
  double share() const { return requests == 0 ? 0 : static_cast<double>(cloud) / requests; }
};

class Site {
 public:
  explicit Site(const SiteOptions& options);

  // `users` at a time, until `requests` of them have been answered. What was learned before stays.
  LoadResult run(int users, int requests, int64_t prompt_tokens, int64_t output_tokens);
  uint64_t trace_hash() const { return hash_; }
  int line() const;  // of the local engine, as believed now

 private:
  struct Request {
    Instant arrived;
    int node = 0;
    int64_t tokens = 0;
  };
  void arrive(Instant now);
  void send(uint64_t id, const valve::Plan& plan, const valve::Ask& ask, Instant now);
  void step_engines(Instant now);
  void observe(Instant now);
  void note(uint64_t value);
  Instant next_moment() const;

  SiteOptions options_;
  valve::Policy policy_;
  sense::Senses senses_;
  std::vector<testbed::EngineModel> engines_;
  std::map<uint64_t, Request> open_;
  std::map<uint64_t, valve::Ask> held_;
  std::vector<double> seconds_;
  LoadResult result_;
  Instant now_;
  Instant next_scrape_;
  Instant next_learn_;
  uint64_t next_id_ = 1;
  uint64_t chance_;
  uint64_t hash_ = 0xcbf29ce484222325ull;
  int to_arrive_ = 0;
  int64_t prompt_ = 0;
  int64_t output_ = 0;
};

}  // namespace sluice::sim
