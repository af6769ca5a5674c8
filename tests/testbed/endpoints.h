// The inference endpoints of the stand-in: where each answers and how its answers are made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testbed/infer_request.h"
#include "tests/testbed/plain_answers.h"

namespace sluice::testbed {

struct EndpointEntry {
  std::string_view name;  // for --endpoints
  std::string_view path;
  std::optional<Dialect> dialect;  // of an answer made token by token
  PlainFunction plain = nullptr;   // else

  bool tells_as_messages() const { return path.starts_with("/v1/messages"); }
};

const EndpointEntry* endpoint_at(std::string_view path);  // null: none

// "chat_completions,messages" as names; an error text if one is unknown. Empty: all.
std::optional<std::string> read_endpoint_names(std::string_view text,
                                               std::vector<std::string>* names);

}  // namespace sluice::testbed
