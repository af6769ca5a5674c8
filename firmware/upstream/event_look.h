// What one event of a stream whose events have types means to the box: OpenAI's Responses and
// Anthropic's Messages. Pure. An event of a type that is not known means nothing and passes on.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/upstream/endpoint.h"
#include "firmware/upstream/sse_reader.h"
#include "firmware/upstream/usage.h"

namespace sluice::upstream {

struct TextSpan {
  size_t begin = 0;
  size_t size = 0;  // zero: there is none
};

// The value at the end of a path of member names, each in the object before it.
TextSpan find_member(std::string_view json, std::initializer_list<std::string_view> path);

struct EventLook {
  bool has_text = false;  // generated text, reasoning or arguments
  bool is_end = false;    // all was said
  bool is_error = false;
  std::optional<Usage> usage;
  std::string response_id;  // of a response that this event begins or ends
  TextSpan model;           // the model's name in the event's data, with its quotes
};

// The event's name where it has one, else the `type` in its data.
std::string type_of(const SseEvent& event);

EventLook look_at_event(Dialect dialect, const SseEvent& event);

}  // namespace sluice::upstream
