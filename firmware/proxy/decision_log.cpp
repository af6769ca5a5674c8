#include "firmware/proxy/decision_log.h"

#include "firmware/valve/words.h"

namespace sluice::proxy {

void DecisionLog::add(valve::Decision decision, const std::string& request,
                      const std::string& key_name, Date at) {
  sink_.on_decision(decision);
  entries_.push_back({next_++, at, request, key_name, std::move(decision)});
  while (entries_.size() > keep_) entries_.pop_front();
}

std::vector<DecisionReport> DecisionLog::decisions(uint64_t after, size_t count_max) const {
  std::vector<DecisionReport> reports;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (entry->sequence <= after || reports.size() >= count_max) break;
    const valve::Decision& made = entry->decision;
    DecisionReport report;
    report.sequence = entry->sequence;
    report.at = entry->at;
    report.request = entry->request;
    report.model = made.ask.model;
    report.key = entry->key_name;
    report.verdict = valve::to_text(made.plan.verdict);
    report.reason = valve::to_text(made.plan.reason);
    report.level = made.plan.level;
    report.line = made.plan.line;
    if (!made.plan.candidates.empty()) {
      const valve::Candidate& first = made.plan.candidates.front();
      for (const valve::NodeView& node : made.view.nodes) {
        if (node.id == first.node) report.node = node.name;
      }
      report.place = valve::to_text(first.place);
      report.ttft_ms = first.forecast.ttft.as_ms();
      report.tpot_us = first.forecast.tpot.as_us();
    }
    report.words_en = valve::explain(made.view, made.plan, valve::Language::en);
    report.words_zh = valve::explain(made.view, made.plan, valve::Language::zh);
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace sluice::proxy
