// The second reading of a head that head_scan.h let pass: Boost.Beast's basic_parser splits it into
// method, target, status and fields. Beast is included in the .cpp alone: it is heavy to compile.
// What the two readings do not share (chunks, lengths, limits) stays ours; Beast is never shown a
// body, and a head that it refuses is refused.
#pragma once

#include <string_view>

#include "firmware/ports/http_message.h"

namespace sluice::drivers {

// `raw` is one whole head, empty line included; `fields` its number of field lines. False: refused.
// Sets what stands in the head literally; lengths and connection flags are the caller's.
bool read_request_head(std::string_view raw, int fields, ports::HttpRequestHead* head);
bool read_response_head(std::string_view raw, int fields, ports::HttpResponseHead* head);

}  // namespace sluice::drivers
