// What a request to /api/v1 asks for, by its method and path. Pure.
#pragma once

#include <string>
#include <variant>

#include "firmware/ports/http_message.h"
#include "firmware/web/door.h"

namespace sluice::web {

enum class Action {
  // Views: everybody at the door may read them.
  show_status,
  show_decisions,
  follow_events,
  show_shadow,
  show_tunnel,
  // Commands: they change the box, or show who uses it and how it is set.
  list_keys,
  add_key,
  revoke_key,
  print_settings,
  set_setting,
  unset_setting,
  reload,
  upgrade,
  show_usage,
  calibrate,
  show_calibration,
  stop_calibration,
  command_tunnel,
};

inline bool is_command(Action action) { return action >= Action::list_keys; }

struct Route {
  Action action = Action::show_status;
  std::string name;  // of the key or setting; empty where the action has none
};

std::variant<Route, Refusal> route_of(const ports::HttpRequestHead& head);

}  // namespace sluice::web
