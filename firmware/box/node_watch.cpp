#include "firmware/box/node_watch.h"

#include <algorithm>

namespace sluice::box {

NodeWatch::NodeWatch(std::string node, sense::Senses& senses, proxy::WaitingRoom& room,
                     const ports::Clock& clock, Log& log)
    : name_(std::move(node)), senses_(senses), room_(room), clock_(clock), log_(log) {}

void NodeWatch::watch(sense::ProbePorts ports, sense::ProbePlace place, sense::DriverFacts facts,
                      sense::ProbeTimes times) {
  probe_ =
      std::make_unique<sense::NodeProbe>(ports, std::move(place), std::move(facts), times, *this);
  probe_->start();
}

void NodeWatch::stop() { probe_.reset(); }

void NodeWatch::note_use() {
  if (probe_) probe_->note_use();
}

sense::NodeState* NodeWatch::node() { return senses_.find(name_); }

void NodeWatch::on_reading(const sense::EngineReading& reading) {
  metrics_faulty_ = false;
  if (sense::NodeState* state = node()) {
    state->read(reading, clock_.now());
    note_fields(*state);
  }
  room_.poke();
}

// Each once, when it goes and when it comes back.
void NodeWatch::note_fields(const sense::NodeState& node) {
  for (const sense::ToldField& field : node.told().fields()) {
    if (field.is_lost && lost_.insert(field.field).second) {
      log_.warning("sense",
                   "node {}: {} answers, but {} is gone; nothing tells {} now. Was it updated? "
                   "See sluiced probe",
                   name_, node.profile().engine, field.name, field.field);
    } else if (field.is_present && lost_.erase(field.field) > 0) {
      log_.info("sense", "node {}: {} is told again, by {}", name_, field.field, field.name);
    }
  }
}

void NodeWatch::on_models(std::vector<std::string> names, std::optional<int64_t> max_model_len) {
  key_refused_ = false;
  sense::NodeState* state = node();
  if (state == nullptr) return;
  state->models(std::move(names));
  state->context({std::max<int64_t>(0, max_model_len.value_or(0))});
}

void NodeWatch::on_slots(int slots) {
  if (sense::NodeState* state = node()) state->slots(slots);
}

void NodeWatch::on_documents(const sense::EngineReading& reading) {
  if (sense::NodeState* state = node()) state->documents(reading, clock_.now());
}

void NodeWatch::on_health(bool alive, std::string_view why) {
  if (sense::NodeState* state = node()) state->health(alive, why, clock_.now());
  if (alive) room_.poke();
  if (alive_ == alive) return;
  alive_ = alive;
  if (alive) {
    log_.info("sense", "node {} answers", name_);
  } else {
    log_.warning("sense", "node {} does not answer: {}", name_, why);
  }
}

void NodeWatch::on_metrics_fault(sense::MetricsFault fault, std::string_view why) {
  if (metrics_faulty_ || fault == sense::MetricsFault::busy) return;
  metrics_faulty_ = true;
  log_.warning("sense",
               "node {}: its metrics cannot be read ({}); its load is judged by our own "
               "count alone",
               name_, why);
}

void NodeWatch::on_key_refused(int http_status) {
  if (key_refused_) return;
  key_refused_ = true;
  log_.error("sense",
             "node {} refuses our credential (status {}); check credential in its settings", name_,
             http_status);
}

}  // namespace sluice::box
