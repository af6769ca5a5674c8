#include "firmware/web/door.h"

#include <array>

#include "firmware/base/text.h"
#include "firmware/ports/crypto.h"

namespace sluice::web {

namespace {

constexpr std::array<std::string_view, 3> kHosts = {"localhost", "127.0.0.1", "[::1]"};
constexpr std::string_view kScheme = "Bearer ";

bool is_port(std::string_view text) {  // "" or ":8081"
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() < 2) return false;
  return text.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

bool is_this_machine(std::string_view host) {
  for (const std::string_view name : kHosts) {
    if (starts_with_ignoring_case(host, name) && is_port(host.substr(name.size()))) return true;
  }
  return false;
}

}  // namespace

std::optional<Refusal> check_host(const ports::HttpRequestHead& head) {
  if (is_this_machine(head.fields.get("host"))) return std::nullopt;
  return Refusal{403,
                 "this page is served to this machine only: open it as http://localhost or "
                 "http://127.0.0.1 with its port; from elsewhere, forward the port with ssh -L",
                 ""};
}

std::optional<Refusal> check_same_site(const ports::HttpRequestHead& head) {
  const std::string* site = head.fields.find("sec-fetch-site");
  const std::string* origin = head.fields.find("origin");
  const bool own_site = site == nullptr || *site == "same-origin" || *site == "none";
  const bool own_origin =
      origin == nullptr ||
      equal_ignoring_case(*origin, "http://" + std::string(head.fields.get("host")));
  if (own_site && own_origin) return std::nullopt;
  return Refusal{403,
                 "a page of another site made this request; only the box's own page and programs "
                 "on this machine may ask here",
                 ""};
}

std::optional<Refusal> check_token(const ports::HttpRequestHead& head,
                                   std::string_view admin_token) {
  if (admin_token.empty()) {
    return Refusal{403,
                   "this address shows but takes no commands, because admin.token_file is not set; "
                   "set it and restart, or use the command line on the box",
                   ""};
  }
  const std::string_view given = head.fields.get("authorization");
  if (!starts_with_ignoring_case(given, kScheme)) {
    return Refusal{401,
                   "commands need the admin token: send 'Authorization: Bearer' and the token from "
                   "the file that admin.token_file names, or use the command line on the box",
                   ""};
  }
  if (ports::equal_in_constant_time(trim(given.substr(kScheme.size())), admin_token)) {
    return std::nullopt;
  }
  return Refusal{401,
                 "the admin token is not the right one; it stands in the file that "
                 "admin.token_file names, as it was when the box started",
                 ""};
}

}  // namespace sluice::web
