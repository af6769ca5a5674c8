// One question to a running daemon over its admin socket, for the command line. Blocks.
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/result.h"

namespace sluice::box {

struct AdminAnswer {
  int status = 0;
  std::string body;
};

// Errors: gone, if no daemon answers at `socket`; otherwise what the connection said.
Result<AdminAnswer> ask_admin(const std::string& socket, std::string_view method,
                              std::string_view target, std::string body);

// The error of an answer that is not 2xx, as the daemon worded it.
Error error_of(const AdminAnswer& answer);

}  // namespace sluice::box
