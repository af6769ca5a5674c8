// The nodes of the settings made real: a client for each, its credential, its observer. Kept up to
// date when settings change; a node that is gone is no longer observed, and gets no new requests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/uv/loop.h"
#include "firmware/base/log.h"
#include "firmware/box/http_clients.h"
#include "firmware/box/node_watch.h"
#include "firmware/capacity/leases.h"
#include "firmware/ports/files.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/sense/driver_catalog.h"
#include "firmware/sense/senses.h"
#include "firmware/settings/settings.h"

namespace sluice::box {

struct NodeBookPorts {
  drivers::UvLoop& loop;
  ports::HttpClient& plain_http;
  ports::Files& files;
  ports::Timers& timers;
  const ports::Clock& clock;
  ports::Random& random;
  sense::Senses& senses;
  proxy::WaitingRoom& room;
  Log& log;
  ports::HttpClient* bulk_http = nullptr;  // leaves by bulk_way(); null: as plain_http
};

// Of what is sent to nodes of the bulk class: told apart in the tunnels, by rules and by queues.
ports::OutboundWay bulk_way();

class NodeBook {
 public:
  NodeBook(NodeBookPorts ports, std::shared_ptr<const sense::DriverCatalog> drivers);
  ~NodeBook();

  // Everything that could fail is tried first: on an error nothing has changed.
  // Errors: refused, with the node and what to do.
  Result<void> configure(const settings::Settings& settings,
                         std::map<valve::NodeId, proxy::NodeAccess>& nodes);
  // The same with other drivers.
  Result<void> use(std::shared_ptr<const sense::DriverCatalog> drivers,
                   const settings::Settings& settings,
                   std::map<valve::NodeId, proxy::NodeAccess>& nodes);
  // A leased instance becomes a cloud node, or is one no more, with the next configure(). It gets
  // what may go to a cloud (open and internal), and a token of it costs nothing more.
  void lend(const capacity::LeasedNode& node) { leased_[node.name] = node; }
  void take_back(const std::string& name) { leased_.erase(name); }
  void stop();  // no more observing

 private:
  struct Plan {  // of one node
    const settings::NodeSettings* node;
    upstream::NodeTarget target;
    std::optional<ports::HttpOrigin> metrics;  // nothing: at the target
    upstream::EndpointSet speaks;
    sense::DriverFacts facts;
    std::string trouble;  // its credential cannot be read
  };
  static Result<void> place_metrics(const settings::NodeSettings& node, Plan& plan);
  Result<Plan> plan_node(const settings::NodeSettings& node);
  Plan plan_leased(const settings::NodeSettings& node);
  void observe(const Plan& plan, const settings::Settings& settings, NodeWatch& watch);

  NodeBookPorts ports_;
  std::shared_ptr<const sense::DriverCatalog> drivers_;
  HttpClients& clients_of(const settings::NodeSettings& node);

  HttpClients clients_;
  HttpClients bulk_clients_;
  std::map<std::string, std::unique_ptr<NodeWatch>> watches_;  // by node
  std::map<std::string, capacity::LeasedNode> leased_;         // by node
};

}  // namespace sluice::box
