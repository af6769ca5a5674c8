// The parts of the box that can only be made once others have been opened.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/box/box.h"
#include "firmware/box/calibrator.h"
#include "firmware/box/tls_door.h"
#include "firmware/proxy/shadow.h"

namespace sluice::box {

// What needs the state folder.
struct Box::Stored {
  Stored(Box& box, std::unique_ptr<ports::Store> opened);

  std::unique_ptr<ports::Store> store;
  meter::Meter meter;
  identity::KeyStore keys;
  DecisionJournal journal;
};

// A place where the box can be reached, and who serves there.
struct Entrance {
  std::string name;                  // as in the settings, less "listen."
  std::optional<ports::Address> at;  // none: off
  proxy::HttpServer* server;
  ports::AcceptSink* sink;                    // the server, or what stands before it
  std::unique_ptr<ports::Listener> listener;  // none: off, or no longer accepting

  bool is_api() const { return name == "api" || name == "tls"; }
  std::string text() const { return listener ? listener->address().text() : "off"; }
};

// What serves. Services before servers, servers before entrances.
struct Box::Serving {
  Serving(Box& box, std::string admin_token);

  proxy::Shadow shadow;
  proxy::DecisionLog decisions;
  proxy::ProxyWorld world;
  std::unique_ptr<ports::Random> calibration_random;
  Calibrator calibrator;
  web::WebWorld web;
  web::MetricsPage metrics;
  proxy::ApiFront api;
  web::WebService page;
  web::WebService admin;
  proxy::HttpServer api_server;
  proxy::HttpServer tls_server;
  TlsDoor tls_door;
  proxy::HttpServer page_server;
  proxy::HttpServer admin_server;
  std::vector<Entrance> entrances;  // in the order in which they open

  const Entrance& entrance(std::string_view name) const;
  size_t client_connections() const { return api_server.connections() + tls_server.connections(); }
};

}  // namespace sluice::box
