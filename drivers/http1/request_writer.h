// A request as octets: start line, Host, the caller's fields, Content-Length; nothing else is
// added.
#pragma once

#include <optional>
#include <string>

#include "firmware/ports/http_client.h"

namespace sluice::drivers {

// Why the request cannot be sent as it is: not plain HTTP, octets that would end a line early, or
// fields that are this folder's to write.
std::optional<Error> check_call(const ports::HttpCallSpec& spec);

// Order: after check_call. Appends the head; the body follows it on the wire as it is.
void append_request_head(const ports::HttpCallSpec& spec, std::string* out);

}  // namespace sluice::drivers
