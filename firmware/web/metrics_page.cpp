#include "firmware/web/metrics_page.h"

#include "firmware/web/accelerator_metrics.h"
#include "firmware/web/answers.h"
#include "firmware/web/metrics_text.h"
#include "firmware/web/tunnel_metrics.h"

namespace sluice::web {

using meter::Distribution;
using meter::NodeModel;
using meter::NodeModelTotals;

namespace {

using Totals = std::map<NodeModel, NodeModelTotals>;

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

const char* to_text(valve::Place place) { return place == valve::Place::local ? "local" : "cloud"; }

// Both have the same bounds, or one of them has never counted.
void add(Distribution& to, const Distribution& from) {
  if (from.bounds.empty()) return;
  if (to.bounds.empty()) {
    to = from;
    return;
  }
  for (size_t i = 0; i < to.counts.size() && i < from.counts.size(); ++i) {
    to.counts[i] += from.counts[i];
  }
  to.sum += from.sum;
  to.total += from.total;
}

struct TokenUsage {
  Distribution in;
  Distribution out;
};

void write_token_usage(MetricsText& page, const Totals& totals) {
  std::map<std::string, TokenUsage> by_model;
  for (const auto& [where, total] : totals) {
    TokenUsage& usage = by_model[where.model];
    add(usage.in, total.in_per_request);
    add(usage.out, total.out_per_request);
  }
  page.family("gen_ai_client_token_usage", "histogram", "Tokens of one attempt.");
  for (const auto& [model, usage] : by_model) {
    page.histogram({{"gen_ai_token_type", "input"}, {"gen_ai_request_model", model}}, usage.in);
    page.histogram({{"gen_ai_token_type", "output"}, {"gen_ai_request_model", model}}, usage.out);
  }
}

void write_times(MetricsText& page, const Totals& totals) {
  struct Family {
    std::string_view name;
    std::string_view help;
    Distribution NodeModelTotals::*distribution;
  };
  static constexpr Family kFamilies[] = {
      {"gen_ai_server_request_duration_seconds", "From sending an attempt to its end.",
       &NodeModelTotals::duration},
      {"gen_ai_server_time_to_first_token_seconds", "From sending an attempt to its first token.",
       &NodeModelTotals::ttft},
      {"gen_ai_server_time_per_output_token_seconds",
       "Time per token after the first one of an attempt.", &NodeModelTotals::tpot},
  };
  for (const Family& family : kFamilies) {
    page.family(family.name, "histogram", family.help);
    for (const auto& [where, total] : totals) {
      page.histogram({{"node", where.node}, {"gen_ai_request_model", where.model}},
                     total.*family.distribution);
    }
  }
}

void write_counts(MetricsText& page, const Totals& totals, const std::string& currency) {
  page.family("sluice_attempts_total", "counter", "Attempts that ended, by how.");
  for (const auto& [where, total] : totals) {
    for (size_t i = 0; i < total.attempts.size(); ++i) {
      const char* outcome = meter::to_text(static_cast<meter::Outcome>(i));
      page.sample({{"node", where.node}, {"model", where.model}, {"outcome", outcome}},
                  total.attempts[i]);
    }
  }
  page.family("sluice_tokens_total", "counter", "Tokens, by direction.");
  for (const auto& [where, total] : totals) {
    const MetricLabels labels = {{"node", where.node}, {"model", where.model}, {"type", "input"}};
    page.sample(labels, static_cast<double>(total.in_tokens));
    MetricLabels out = labels;
    out.back().second = "output";
    page.sample(out, static_cast<double>(total.out_tokens));
  }
  page.family("sluice_cached_tokens_total", "counter",
              "Input tokens that the node had in its cache; part of the input tokens.");
  for (const auto& [where, total] : totals) {
    page.sample({{"node", where.node}, {"model", where.model}},
                static_cast<double>(total.cached_tokens));
  }
  page.family("sluice_cost_total", "counter", "What the attempts cost, in units of the currency.");
  for (const auto& [where, total] : totals) {
    page.sample({{"node", where.node}, {"model", where.model}, {"currency", currency}},
                total.cost.units());
  }
}

MetricLabels labels_of(const sense::NodeReport& node) {
  return {{"node", node.name}, {"place", to_text(node.place)}};
}

bool is_up(const sense::NodeReport& node) {
  return node.enabled &&
         (node.health == valve::Health::up || node.health == valve::Health::slow_start);
}

void write_queues(MetricsText& page, const std::vector<sense::NodeReport>& nodes) {
  page.family("sluice_node_engine_requests", "gauge",
              "Requests of all clients believed to run and to wait in the node's engine now.");
  for (const auto& node : nodes) {
    for (const auto& [state, figure] :
         {std::pair("running", &node.queue_running), std::pair("waiting", &node.queue_waiting)}) {
      MetricLabels labels = labels_of(node);
      labels.push_back({"state", state});
      if (figure->value) page.sample(labels, *figure->value);
    }
  }
  page.family("sluice_node_other_requests", "gauge",
              "Those of them that did not come through this box.");
  for (const auto& node : nodes) {
    if (node.queue_running.value) page.sample(labels_of(node), node.queue_others);
  }
}

void write_nodes(MetricsText& page, const std::vector<sense::NodeReport>& nodes) {
  page.family("sluice_node_up", "gauge", "1 if the node takes requests as usual.");
  for (const auto& node : nodes) page.sample(labels_of(node), is_up(node) ? 1.0 : 0.0);
  page.family("sluice_node_in_flight", "gauge", "Requests sent to the node and not ended.");
  for (const auto& node : nodes) page.sample(labels_of(node), static_cast<double>(node.in_flight));
  page.family("sluice_node_line", "gauge",
              "Most concurrent requests that keep the service level; absent while not known.");
  for (const auto& node : nodes) {
    if (node.line > 0) page.sample(labels_of(node), static_cast<double>(node.line));
  }
  page.family("sluice_node_reading_age_seconds", "gauge",
              "Age of the last reading of the node's own figures; absent before the first.");
  for (const auto& node : nodes) {
    if (node.reading_age) page.sample(labels_of(node), node.reading_age->as_seconds());
  }
  write_queues(page, nodes);
}

void write_told_fields(MetricsText& page, const std::vector<sense::NodeReport>& nodes) {
  page.family("sluice_node_field_told", "gauge",
              "1 if the node tells this field of its load, 0 if its driver found no name for it.");
  for (const auto& node : nodes) {
    for (const sense::ToldField& field : node.fields) {
      page.sample({{"node", node.name}, {"field", field.field}}, field.is_present ? 1.0 : 0.0);
    }
  }
  page.family("sluice_node_field_gone_seconds", "gauge",
              "For how long the node has not told what it told once, by this name: see probe.");
  for (const auto& node : nodes) {
    for (const sense::ToldField& field : node.fields) {
      if (!field.is_lost) continue;
      page.sample({{"node", node.name}, {"field", field.field}, {"name", field.name}},
                  (node.at - field.since).as_seconds());
    }
  }
}

void gauge(MetricsText& page, std::string_view name, std::string_view help, double value) {
  page.family(name, "gauge", help);
  page.sample({}, value);
}

void write_box(MetricsText& page, const MetricsParts& parts) {
  page.family("sluice_build_info", "gauge", "The version that runs.");
  page.sample({{"version", parts.box.version}}, 1.0);
  gauge(page, "sluice_uptime_seconds", "Since the start.", parts.box.uptime.as_seconds());
  gauge(page, "sluice_valve_open", "1 while requests overflow.", parts.box.open ? 1.0 : 0.0);
  gauge(page, "sluice_queue_length", "Requests held until there is room.",
        static_cast<double>(parts.queue.length));
  gauge(page, "sluice_queue_length_max", "Requests that may be held.",
        static_cast<double>(parts.queue.length_max));
  gauge(page, "sluice_ledger_unstored_rows", "Rows of the ledger that are not yet in the store.",
        static_cast<double>(parts.unstored_rows));
  page.family("sluice_spent_this_month", "gauge",
              "What attempts that began this month (UTC) cost, in units of the currency.");
  page.sample({{"currency", parts.box.currency}}, parts.spent_this_month.units());
  gauge(page, "sluice_connections", "Connections of clients.",
        static_cast<double>(parts.process.connections));
  page.family("sluice_connections_refused_total", "counter",
              "Connections refused beyond a limit, or for want of descriptors.");
  page.sample({}, static_cast<double>(parts.process.connections_refused));
  if (parts.process.open_descriptors >= 0) {
    gauge(page, "process_open_fds", "Open file descriptors.",
          static_cast<double>(parts.process.open_descriptors));
  }
  if (parts.process.resident_bytes >= 0) {
    gauge(page, "process_resident_memory_bytes", "Resident memory.",
          static_cast<double>(parts.process.resident_bytes));
  }
}

void write_extras(MetricsText& page, const proxy::ExtraReport& extras) {
  page.family("sluice_retries_total", "counter",
              "Retries on another node; denied: by valve.retry_percent_max and its floor.");
  page.sample({{"result", "sent"}}, extras.retries);
  page.sample({{"result", "denied"}}, extras.retries_denied);
  page.family("sluice_hedges_total", "counter",
              "Copies of late requests; won: of those sent; denied: by valve.hedge_percent_max.");
  page.sample({{"result", "sent"}}, extras.hedges);
  page.sample({{"result", "won"}}, extras.hedges_won);
  page.sample({{"result", "denied"}}, extras.hedges_denied);
}

}  // namespace

std::string metrics_text(const MetricsParts& parts, const Totals& totals) {
  MetricsText page;
  write_token_usage(page, totals);
  write_times(page, totals);
  write_counts(page, totals, parts.box.currency);
  write_nodes(page, parts.nodes);
  write_told_fields(page, parts.nodes);
  write_box(page, parts);
  write_extras(page, parts.extras);
  write_accelerators(page, parts.accelerators, parts.now);
  write_tunnels(page, parts.tunnels, parts.now);
  return page.take();
}

std::unique_ptr<ports::HttpActivity> MetricsPage::open(const ports::HttpRequestHead& head,
                                                       const ports::HttpPeer&,
                                                       ports::HttpAnswer& answer) {
  if (head.method != "GET" && head.method != "HEAD") {
    send_refusal(answer, {405, "this path answers GET, HEAD only", "GET, HEAD"});
    return std::make_unique<Answered>();
  }
  const MetricsParts parts{world_.box.status(),
                           world_.box.process(),
                           world_.senses.reports(world_.clock.now()),
                           world_.queue.queue(),
                           world_.meter.unstored_rows(),
                           world_.meter.spent_in_all(),
                           world_.extras.extras(),
                           world_.accelerators.accelerators(world_.clock.now()),
                           world_.clock.now(),
                           world_.tunnels.tunnels()};
  send_text(answer, 200, kMetricsType, metrics_text(parts, world_.meter.totals()));
  return std::make_unique<Answered>();
}

}  // namespace sluice::web
