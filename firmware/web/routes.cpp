#include "firmware/web/routes.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "firmware/web/query.h"

namespace sluice::web {

namespace {

struct Row {
  std::string_view path;  // one that ends in "/" is followed by a name
  std::string_view method;
  Action action;
};

constexpr std::array<Row, 18> kRows = {{
    {"/api/v1/status", "GET", Action::show_status},
    {"/api/v1/decisions", "GET", Action::show_decisions},
    {"/api/v1/events", "GET", Action::follow_events},
    {"/api/v1/shadow", "GET", Action::show_shadow},
    {"/api/v1/tunnel", "GET", Action::show_tunnel},
    {"/api/v1/keys", "GET", Action::list_keys},
    {"/api/v1/keys", "POST", Action::add_key},
    {"/api/v1/keys/", "DELETE", Action::revoke_key},
    {"/api/v1/settings", "GET", Action::print_settings},
    {"/api/v1/settings/", "PUT", Action::set_setting},
    {"/api/v1/settings/", "DELETE", Action::unset_setting},
    {"/api/v1/reload", "POST", Action::reload},
    {"/api/v1/upgrade", "POST", Action::upgrade},
    {"/api/v1/usage", "GET", Action::show_usage},
    {"/api/v1/calibration", "POST", Action::calibrate},
    {"/api/v1/calibration", "GET", Action::show_calibration},
    {"/api/v1/calibration", "DELETE", Action::stop_calibration},
    {"/api/v1/tunnel/", "POST", Action::command_tunnel},
}};

// The name behind the row's path, still encoded; empty if the row has none. Nothing: another path.
std::optional<std::string_view> name_in(std::string_view path, const Row& row) {
  if (!row.path.ends_with('/')) {
    return path == row.path ? std::optional<std::string_view>("") : std::nullopt;
  }
  if (!path.starts_with(row.path) || path.size() == row.path.size()) return std::nullopt;
  return path.substr(row.path.size());
}

}  // namespace

std::variant<Route, Refusal> route_of(const ports::HttpRequestHead& head) {
  std::string allow;
  for (const Row& row : kRows) {
    const auto name = name_in(head.path(), row);
    if (!name) continue;
    if (head.method != row.method) {
      allow += (allow.empty() ? "" : ", ") + std::string(row.method);
      continue;
    }
    auto decoded = percent_decoded(*name);
    if (!decoded) {
      return Refusal{400, "the path has a % that no two hexadecimal digits follow", ""};
    }
    return Route{row.action, std::move(*decoded)};
  }
  if (!allow.empty()) {
    return Refusal{405, fmt::format("this path answers {} only", allow), allow};
  }
  return Refusal{
      404,
      "there is no such path here; under /api/v1 there are status, decisions, events, shadow, "
      "keys, settings, reload, upgrade, usage, calibration and tunnel",
      ""};
}

}  // namespace sluice::web
