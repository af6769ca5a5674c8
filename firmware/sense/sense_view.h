// What the page, the metrics and /readyz may read of the nodes: a report, no access.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/field_watch.h"
#include "firmware/sense/load.h"
#include "firmware/valve/view.h"

namespace sluice::sense {

struct NodeReport {
  std::string name;
  valve::Place place = valve::Place::local;
  std::string engine;
  bool enabled = true;
  valve::Health health = valve::Health::unknown;
  std::string why;  // of a node that is not up
  int in_flight = 0;
  int line = 0;  // 0 = no limit known
  std::optional<double> running;
  std::optional<double> waiting;
  std::optional<double> kv_usage;
  std::optional<Duration> ttft_p50;
  std::optional<Duration> tpot_p50;
  std::optional<Duration> reading_age;
  EngineLoad load;  // in the canonical words, each figure with source, age and confidence
  Instant at;       // of this report: ages are counted to here
  // What it runs and keeps waiting now, of all clients, between two readings too.
  Figure queue_running;
  Figure queue_waiting;
  double queue_others = 0;        // of both, from other clients
  double queue_spread = 0;        // of both together: a standard deviation
  Duration queue_lag;             // of its metrics, if they tell of a time long before
  Duration queue_age;             // of what both rest on
  std::vector<ToldField> fields;  // which of its driver's fields it tells, by which name
  std::vector<std::string> models;
  valve::StepModel step;  // as learnt; not known: nothing is
  std::string advice_en;  // what to set in the engine, if its steps break the service level
  std::string advice_zh;
};

class SenseView {
 public:
  virtual ~SenseView() = default;
  virtual std::vector<NodeReport> reports(Instant now) const = 0;
};

}  // namespace sluice::sense
