// The self-test of a node's driver: which of its fields the node tells, and which it told once and
// tells no more, as happens when an engine's update renames a metric. A value; no clock.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/sense/field_report.h"

namespace sluice::sense {

struct ToldField {
  std::string field;  // its canonical name
  std::string name;   // the metric, or "/path member", that tells it, or told it last; may be empty
  bool is_present = false;
  bool is_lost = false;  // it was told once
  Instant since;         // of a lost one: when it was missed first

  bool operator==(const ToldField&) const = default;
};

class FieldWatch {
 public:
  // Of one look at the node, all fields that its driver maps. Counters and histograms of some
  // engines are there only after the first request: they are called lost only once the engine has
  // worked without them. A name that is there and tells "unknown" is not lost.
  void look(const std::vector<FieldReport>& reports, Instant now);
  void forget() { fields_.clear(); }  // another driver, or another place

  const std::vector<ToldField>& fields() const { return fields_; }  // in the driver's order

 private:
  std::vector<ToldField> fields_;
};

}  // namespace sluice::sense
