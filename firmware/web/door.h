// Who may come in, and by which door.
//
// The page door listens on loopback, where every program and every web site in the user's browser
// can knock. Three checks answer that:
// - Host must name this machine, so that a foreign name that resolves to 127.0.0.1 (DNS rebinding)
//   reaches nothing;
// - a request that another site's page makes is refused (Origin; Sec-Fetch-Site);
// - commands need the admin token.
// The admin socket is a file: its permissions decide who may open it, so it needs none of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/ports/http_service.h"

namespace sluice::web {

enum class Door { page, admin_socket };

struct Refusal {
  int status = 403;
  std::string message;  // what is wrong and what to do
  std::string allow;    // of a 405: the methods that are answered
};

// Nothing: come in.
std::optional<Refusal> check_host(const ports::HttpRequestHead& head);
std::optional<Refusal> check_same_site(const ports::HttpRequestHead& head);
// `admin_token` empty: no command is accepted.
std::optional<Refusal> check_token(const ports::HttpRequestHead& head,
                                   std::string_view admin_token);

}  // namespace sluice::web
