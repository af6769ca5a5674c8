// Observes one node and tells sense what was seen.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "firmware/base/log.h"
#include "firmware/proxy/waiting_room.h"
#include "firmware/sense/probe.h"
#include "firmware/sense/senses.h"

namespace sluice::box {

class NodeWatch : public sense::ProbeSink {
 public:
  NodeWatch(std::string node, sense::Senses& senses, proxy::WaitingRoom& room,
            const ports::Clock& clock, Log& log);

  // Begins, or begins anew with other facts, places or times.
  void watch(sense::ProbePorts ports, sense::ProbePlace place, sense::DriverFacts facts,
             sense::ProbeTimes times);
  void stop();
  void note_use();

  void on_reading(const sense::EngineReading& reading) override;
  void on_models(std::vector<std::string> names, std::optional<int64_t> max_model_len) override;
  void on_slots(int slots) override;
  void on_documents(const sense::EngineReading& reading) override;
  void on_health(bool alive, std::string_view why) override;
  void on_metrics_fault(sense::MetricsFault fault, std::string_view why) override;
  void on_key_refused(int http_status) override;

 private:
  sense::NodeState* node();
  void note_fields(const sense::NodeState& node);

  std::string name_;
  sense::Senses& senses_;
  proxy::WaitingRoom& room_;
  const ports::Clock& clock_;
  Log& log_;
  std::optional<bool> alive_;
  bool metrics_faulty_ = false;
  bool key_refused_ = false;
  std::set<std::string> lost_;  // fields that it tells no more, and that was logged
  std::unique_ptr<sense::NodeProbe> probe_;
};

}  // namespace sluice::box
