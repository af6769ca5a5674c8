// The server's window: its metrics page and what else it tells of itself, through all that clouds
// it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/engine_server.h"
#include "tests/testbed/metric_pages.h"

namespace sluice::testbed {

EngineGauges EngineServer::gauges() const {
  EngineGauges gauges{.running = model_.running(),
                      .waiting = model_.waiting(),
                      .kv_usage = model_.kv_usage(),
                      .preemptions = model_.preemptions(),
                      .limit = options_.cost.max_num_seqs,
                      .kv_tokens = options_.cost.kv_tokens,
                      .asleep = faults_.window().asleep};
  if (faults_.lie() == Lie::zero) {
    gauges.running = gauges.waiting = 0;
    gauges.kv_usage = 0;
  } else if (faults_.lie() == Lie::overload) {
    gauges.running = options_.cost.max_num_seqs;
    gauges.waiting = 2 * options_.cost.max_num_seqs;
    gauges.kv_usage = 0.99;
  }
  return gauges;
}

void EngineServer::note_scene() {
  truth_.note(poller_.now(), model_.running(), model_.waiting());
  window_.note(poller_.now(), gauges(), metrics_.book(), faults_.window());
}

std::optional<Page> EngineServer::page(const std::string& target) {
  note_scene();
  const EngineWindow::Scene scene = window_.look(metrics_.book());
  auto page = page_at(target, {metrics_.dialect(), metrics_.model(), scene.book, scene.gauges});
  const WindowFaults& faults = faults_.window();
  if (page) page->body = renamed(page->body, faults.renamed_metric, faults.new_name);
  return page;
}

bool EngineServer::answer_page(ServerConnection& connection, const std::string& target) {
  auto found = page(target);
  if (!found) return false;
  const bool late = faults_.window().late_s > 0 && model_.running() > 0;
  if (!late) {
    answer(connection, found->status, found->body, found->type);
    return true;
  }
  const RequestId id = ++last_id_;
  connection.exchange = id;
  late_pages_[id] = {&connection, target};
  poller_.call_at(poller_.now() + from_seconds(faults_.window().late_s),
                  [this, id] { answer_late_page(id); });
  return true;
}

void EngineServer::answer_late_page(RequestId id) {
  const auto found = late_pages_.find(id);
  if (found == late_pages_.end()) return;  // whoever asked has left
  const LatePage asked = found->second;
  late_pages_.erase(found);
  asked.connection->exchange = 0;
  const auto told = page(asked.target);
  answer(*asked.connection, told->status, told->body, told->type);
}

nlohmann::json EngineServer::truth() const {
  return {{"at_us", poller_.now()}, {"running", model_.running()}, {"waiting", model_.waiting()}};
}

}  // namespace sluice::testbed
