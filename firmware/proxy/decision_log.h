// The last decisions, for people; and every decision, for the journal.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "firmware/base/time.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/valve/journal.h"

namespace sluice::proxy {

class DecisionSink {  // the box writes the journal
 public:
  virtual ~DecisionSink() = default;
  virtual void on_decision(const valve::Decision& decision) = 0;
};

class DecisionLog : public DecisionsView {
 public:
  DecisionLog(DecisionSink& sink, size_t keep) : sink_(sink), keep_(keep) {}

  void add(valve::Decision decision, const std::string& request, const std::string& key_name,
           Date at);
  void set_keep(size_t keep) { keep_ = keep; }
  uint64_t count() const { return next_ - 1; }

  std::vector<DecisionReport> decisions(uint64_t after, size_t count_max) const override;

 private:
  struct Entry {
    uint64_t sequence;
    Date at;
    std::string request;
    std::string key_name;
    valve::Decision decision;
  };
  DecisionSink& sink_;
  size_t keep_;
  uint64_t next_ = 1;
  std::deque<Entry> entries_;  // oldest first
};

}  // namespace sluice::proxy
