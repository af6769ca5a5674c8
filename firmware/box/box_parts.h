// The parts of the box that can only be made once others have been opened.
#pragma once

#include <memory>
#include <string>

#include "firmware/box/box.h"

namespace sluice::box {

// What needs the state folder.
struct Box::Stored {
  Stored(Box& box, std::unique_ptr<ports::Store> opened);

  std::unique_ptr<ports::Store> store;
  meter::Meter meter;
  identity::KeyStore keys;
  DecisionJournal journal;
};

// What serves. Services before servers, servers before listeners.
struct Box::Serving {
  Serving(Box& box, std::string admin_token);

  proxy::DecisionLog decisions;
  proxy::ProxyWorld world;
  web::WebWorld web;
  web::MetricsPage metrics;
  proxy::ApiFront api;
  web::WebService page;
  web::WebService admin;
  proxy::HttpServer api_server;
  proxy::HttpServer page_server;
  proxy::HttpServer admin_server;
  std::unique_ptr<ports::Listener> api_listener;
  std::unique_ptr<ports::Listener> page_listener;
  std::unique_ptr<ports::Listener> admin_listener;
};

}  // namespace sluice::box
