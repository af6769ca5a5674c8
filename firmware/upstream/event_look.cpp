#include "firmware/upstream/event_look.h"

#include <algorithm>
#include <array>

#include "firmware/ports/json_scan.h"
#include "firmware/upstream/json_keys.h"

namespace sluice::upstream {

namespace {

// The events that carry the whole response object.
constexpr std::array<std::string_view, 3> kResponseBegins = {
    "response.created", "response.in_progress", "response.queued"};
constexpr std::array<std::string_view, 3> kResponseEnds = {
    "response.completed", "response.incomplete", "response.failed"};

template <size_t N>
bool is_one_of(std::string_view type, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), type) != list.end();
}

bool has_string(std::string_view data, std::string_view key) {
  const size_t at = find_value(data, key);
  return at != std::string_view::npos && string_at(data, at).size() > 2;
}

std::string text_at(std::string_view json, TextSpan span) {
  if (span.size == 0) return {};
  return ports::read_json_string(json.substr(span.begin, span.size)).value_or("");
}

EventLook look_at_response(std::string_view type, std::string_view data) {
  EventLook look;
  look.has_text = type.ends_with(".delta") && has_string(data, "delta");
  look.is_end = is_one_of(type, kResponseEnds);
  look.is_error = type == "error" || type == "response.failed";
  if (!look.is_end && !is_one_of(type, kResponseBegins)) return look;
  const TextSpan object = find_member(data, {"response"});
  if (object.size == 0) return look;
  const std::string_view response = data.substr(object.begin, object.size);
  look.model = find_member(response, {"model"});
  look.model.begin += object.begin;
  look.response_id = text_at(response, find_member(response, {"id"}));
  const TextSpan usage = find_member(response, {"usage"});
  if (usage.size > 0) look.usage = read_usage(response.substr(usage.begin, usage.size));
  return look;
}

EventLook look_at_message(std::string_view type, std::string_view data) {
  EventLook look;
  look.is_end = type == "message_stop";
  look.is_error = type == "error";
  if (type == "content_block_delta") {
    look.has_text = has_string(data, "text") || has_string(data, "partial_json") ||
                    has_string(data, "thinking");
    return look;
  }
  TextSpan usage;
  if (type == "message_start") {
    look.model = find_member(data, {"message", "model"});
    usage = find_member(data, {"message", "usage"});
  } else if (type == "message_delta") {
    usage = find_member(data, {"usage"});
  }
  if (usage.size > 0) look.usage = read_usage(data.substr(usage.begin, usage.size));
  return look;
}

// Transcripts, speech and pictures: their last event tells usage, and none of them is sure to come.
EventLook look_at_plain(std::string_view type, std::string_view data) {
  EventLook look;
  look.is_error = type == "error";
  if (const size_t error = find_value(data, "error"); error != std::string_view::npos) {
    look.is_error = look.is_error || data[error] == '{';
  }
  look.has_text = has_string(data, "delta") || has_string(data, "content");
  const size_t usage = find_value(data, "usage");
  if (usage != std::string_view::npos) look.usage = read_usage(object_at(data, usage));
  return look;
}

}  // namespace

TextSpan find_member(std::string_view json, std::initializer_list<std::string_view> path) {
  TextSpan span{0, json.size()};
  for (const std::string_view name : path) {
    const Result<ports::JsonScan> scan =
        ports::scan_json_object(json.substr(span.begin, span.size));
    if (!scan) return {};
    const ports::JsonMember* member = scan->find(name);
    if (member == nullptr) return {};
    span = {span.begin + member->value_begin, member->value_size};
  }
  return span;
}

std::string type_of(const SseEvent& event) {
  if (!event.name.empty()) return std::string(event.name);
  return text_at(event.data, find_member(event.data, {"type"}));
}

EventLook look_at_event(Dialect dialect, const SseEvent& event) {
  if (event.data.empty()) return {};
  const std::string type = type_of(event);
  switch (dialect) {
    case Dialect::responses:
      return look_at_response(type, event.data);
    case Dialect::messages:
      return look_at_message(type, event.data);
    case Dialect::plain:
    case Dialect::chat:
      return look_at_plain(type, event.data);
  }
  return {};
}

}  // namespace sluice::upstream
