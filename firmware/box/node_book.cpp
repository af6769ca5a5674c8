#include "firmware/box/node_book.h"

#include <fmt/format.h>

#include "firmware/box/configure.h"
#include "firmware/box/credentials.h"
#include "firmware/tunnel/names.h"

namespace sluice::box {

NodeBook::NodeBook(NodeBookPorts ports, std::shared_ptr<const sense::DriverCatalog> drivers)
    : ports_(ports),
      drivers_(std::move(drivers)),
      clients_(ports.loop, ports.plain_http),
      bulk_clients_(ports.loop, ports.bulk_http == nullptr ? ports.plain_http : *ports.bulk_http,
                    bulk_way()) {}

NodeBook::~NodeBook() = default;

ports::OutboundWay bulk_way() {
  ports::OutboundWay way;
  way.mark = tunnel::mark_of(tunnel::TrafficClass::bulk);
  way.dscp = tunnel::kDscpBulk;
  return way;
}

HttpClients& NodeBook::clients_of(const settings::NodeSettings& node) {
  return node.traffic == settings::Traffic::bulk ? bulk_clients_ : clients_;
}

// Where the node's metrics are: where the settings say; else on the port that its engine has for
// them; else where it answers.
Result<void> NodeBook::place_metrics(const settings::NodeSettings& node, Plan& plan) {
  if (!node.metrics_url.empty()) {
    Result<ports::HttpOrigin> origin = ports::parse_origin(node.metrics_url);
    if (!origin) return origin.error();
    if (!origin->base_path.empty()) {
      plan.facts.scrape.pages = {std::exchange(origin->base_path, "")};
    }
    plan.metrics = std::move(*origin);
  } else if (plan.facts.scrape.metrics_port != 0) {
    plan.metrics = plan.target.origin;
    plan.metrics->base_path.clear();
    plan.metrics->address.port = static_cast<uint16_t>(plan.facts.scrape.metrics_port);
    plan.metrics->authority = plan.metrics->address.text();
  }
  return {};
}

Result<NodeBook::Plan> NodeBook::plan_node(const settings::NodeSettings& node) {
  Plan plan;
  plan.node = &node;
  const sense::DriverFacts* facts = drivers_->engine(node.engine);
  if (facts == nullptr) {
    return Error{ErrorKind::refused, "settings",
                 fmt::format("node \"{}\": there is no engine description \"{}\"; write one of {}",
                             node.name, node.engine, drivers_->engine_names())};
  }
  plan.facts = *facts;
  Result<upstream::EndpointSet> speaks = endpoints_of(node, plan.facts);
  if (!speaks) return speaks.error();
  plan.speaks = *speaks;
  Result<ports::HttpOrigin> origin = ports::parse_origin(node.url);
  if (!origin) return origin.error();
  plan.target.origin = std::move(*origin);
  if (Result<void> ok = place_metrics(node, plan); !ok) return ok.error();
  if (Result<void> read = read_credential(node, ports_.files, plan.target); !read) {
    // One node less is no reason not to serve with the others.
    plan.trouble = read.error().text;
    ports_.log.error("settings", "node {} cannot be used: {}", node.name, plan.trouble);
  }
  return plan;
}

// What the platform says of an instance is a peer's word: if it makes no sense, the node is there
// and cannot be used, and its lease ends because it does not answer.
NodeBook::Plan NodeBook::plan_leased(const settings::NodeSettings& node) {
  Result<Plan> made = plan_node(node);
  if (!made) {
    Plan useless;
    useless.node = &node;
    useless.trouble = made.error().text;
    ports_.log.error("capacity", "leased node {} cannot be used: {}", node.name, useless.trouble);
    return useless;
  }
  const std::string& credential = leased_.at(node.name).credential;
  if (!credential.empty()) {
    made->target.credential_field = "authorization";
    made->target.credential_value = "Bearer " + credential;
  }
  return std::move(*made);
}

void NodeBook::observe(const Plan& plan, const settings::Settings& settings, NodeWatch& watch) {
  if (!plan.node->enabled || !plan.trouble.empty()) return watch.stop();
  ports::HttpFields credentials;
  if (!plan.target.credential_field.empty()) {
    credentials.add(plan.target.credential_field, plan.target.credential_value);
  }
  const bool local = plan.node->place == settings::Place::local;
  const auto place = local ? valve::Place::local : valve::Place::cloud;
  const std::string& ca_file = plan.node->ca_file;
  sense::ProbePlace at{clients_of(*plan.node).of(plan.target.origin, ca_file),
                       plan.target.origin,
                       std::move(credentials),
                       nullptr,
                       {}};
  if (plan.metrics) {
    at.metrics_http = &clients_of(*plan.node).of(*plan.metrics, ca_file);
    at.metrics_origin = *plan.metrics;
  }
  watch.watch({ports_.timers, ports_.clock, ports_.random}, std::move(at), plan.facts,
              probe_times(settings, place));
}

Result<void> NodeBook::use(std::shared_ptr<const sense::DriverCatalog> drivers,
                           const settings::Settings& settings,
                           std::map<valve::NodeId, proxy::NodeAccess>& nodes) {
  std::swap(drivers_, drivers);
  Result<void> used = configure(settings, nodes);
  if (!used) std::swap(drivers_, drivers);
  return used;
}

Result<void> NodeBook::configure(const settings::Settings& settings,
                                 std::map<valve::NodeId, proxy::NodeAccess>& nodes) {
  std::vector<Plan> plans;
  std::vector<sense::NodeProfile> profiles;
  std::vector<settings::NodeSettings> all = settings.live.nodes;
  for (const auto& [name, node] : leased_) all.push_back(leased_node_settings(node));
  for (const settings::NodeSettings& node : all) {
    const bool leased = &node - all.data() >= static_cast<long>(settings.live.nodes.size());
    Result<Plan> plan = leased ? Result<Plan>(plan_leased(node)) : plan_node(node);
    if (!plan) return plan.error();
    plans.push_back(std::move(*plan));
    profiles.push_back(node_profile(node, settings));
    profiles.back().trouble = plans.back().trouble;
    profiles.back().stale_after =
        stale_after(plans.back().facts.scrape, settings.live.sense.scrape);
    profiles.back().slow_stale_after = probe_times(settings, profiles.back().place).probe * 3;
  }
  const Duration tpot_max = proxy_policy(settings).admission.levels.at("default").tpot_max;
  Result<void> known =
      ports_.senses.configure(profiles, sense_times(settings), valve_policy(settings), tpot_max);
  if (!known) return known;
  for (auto& [name, watch] : watches_) watch->stop();
  for (const Plan& plan : plans) {
    std::unique_ptr<NodeWatch>& watch = watches_[plan.node->name];
    if (!watch) {
      watch = std::make_unique<NodeWatch>(plan.node->name, ports_.senses, ports_.room, ports_.clock,
                                          ports_.log);
    }
    observe(plan, settings, *watch);
    NodeWatch* in_use = watch.get();
    proxy::NodeAccess access;
    access.target = plan.target;
    access.speaks = plan.speaks;
    access.data = node_policy(*plan.node);
    access.client = &clients_of(*plan.node).of(plan.target.origin, plan.node->ca_file);
    access.on_use = [in_use] { in_use->note_use(); };
    nodes[ports_.senses.find(plan.node->name)->id()] = std::move(access);
  }
  return {};
}

void NodeBook::stop() {
  for (auto& [name, watch] : watches_) watch->stop();
}

}  // namespace sluice::box
