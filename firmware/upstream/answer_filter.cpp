#include "firmware/upstream/answer_filter.h"

#include <array>

#include "firmware/base/text.h"
#include "firmware/ports/json_scan.h"
#include "firmware/upstream/json_keys.h"

namespace sluice::upstream {

namespace {

constexpr size_t kNone = std::string_view::npos;

// The members of a delta that hold generated text.
constexpr std::array<std::string_view, 6> kTextKeys = {
    "content", "text", "reasoning_content", "reasoning", "arguments", "refusal"};

bool holds_text(std::string_view data) {
  for (const std::string_view key : kTextKeys) {
    for (size_t at = find_value(data, key); at != kNone; at = find_value(data, key, at)) {
      if (data[at] == '"' && string_at(data, at).size() > 2) return true;
    }
  }
  return false;
}

bool has_no_choices(std::string_view data) {
  const size_t at = find_value(data, "choices");
  if (at == kNone || data[at] != '[') return false;
  const size_t next = data.find_first_not_of(" \t\r\n", at + 1);
  return next != kNone && data[next] == ']';
}

}  // namespace

AnswerFilter::AnswerFilter(bool is_event_stream, AnswerEdits edits)
    : is_event_stream_(is_event_stream), edits_(std::move(edits)) {}

std::string_view AnswerFilter::feed(std::string_view bytes) {
  new_tokens_ = 0;
  if (passes_unread_) return bytes;
  if (!is_event_stream_) {
    kept_.append(bytes);
    if (!edits_.renames()) {
      if (kept_.size() > 2 * kTailMax) kept_.erase(0, kept_.size() - kTailMax);
      return bytes;
    }
    if (kept_.size() <= kRenamedBodyMax) return {};
    passes_unread_ = true;
    out_ = std::move(kept_);
    kept_.clear();
    return out_;
  }
  out_.clear();
  events_.feed(bytes);
  while (const std::optional<SseEvent> event = events_.next()) take_event(*event);
  if (events_.is_too_long()) {
    passes_unread_ = true;
    out_.append(events_.rest());
  }
  return edits_.any() ? std::string_view(out_) : bytes;
}

std::string_view AnswerFilter::finish() {
  out_.clear();
  new_tokens_ = 0;
  if (passes_unread_) return {};
  if (is_event_stream_) {
    if (const std::optional<SseEvent> event = events_.unfinished()) take_event(*event);
    return edits_.any() ? std::string_view(out_) : std::string_view();
  }
  look_at_tail();
  if (edits_.renames()) append_renamed(kept_);
  return out_;
}

void AnswerFilter::take_event(const SseEvent& event) {
  if (!look_at_data(event.data)) return;
  if (event.name == "error") error_seen_ = true;
  if (edits_.renames() && !event.data.empty()) {
    append_renamed(event.raw);
  } else {
    out_.append(event.raw);
  }
}

bool AnswerFilter::look_at_data(std::string_view data) {
  if (data.empty()) return true;
  if (trim(data) == "[DONE]") {
    done_seen_ = true;
    return true;
  }
  if (holds_text(data)) {
    ++new_tokens_;
    ++tokens_counted_;
  }
  const size_t error = find_value(data, "error");
  if (error != kNone && data[error] == '{') error_seen_ = true;
  const size_t usage = find_value(data, "usage");
  if (usage == kNone || data[usage] != '{') return true;
  if (const auto read = read_usage(object_at(data, usage))) usage_ = read;
  return !(edits_.strip_usage && has_no_choices(data));
}

void AnswerFilter::look_at_tail() {
  const size_t usage = find_last_value(kept_, "usage");
  if (usage == kNone || kept_[usage] != '{') return;
  usage_ = read_usage(object_at(kept_, usage));
}

void AnswerFilter::append_renamed(std::string_view raw) {
  const size_t at = find_value(raw, "model");
  const std::string_view value = at == kNone ? std::string_view() : string_at(raw, at);
  const Result<std::string> name = ports::read_json_string(value);
  if (!name || *name != edits_.upstream_model) {
    out_.append(raw);
    return;
  }
  out_.append(raw.substr(0, at));
  out_.append(ports::write_json_string(edits_.client_model));
  out_.append(raw.substr(at + value.size()));
}

}  // namespace sluice::upstream
