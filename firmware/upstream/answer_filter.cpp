#include "firmware/upstream/answer_filter.h"

#include <algorithm>
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

// What one pass over an event's members finds.
struct DataLook {
  bool has_text = false;
  size_t error = kNone;  // the value's place
  size_t usage = kNone;
};

DataLook look_at_members(std::string_view data) {
  DataLook look;
  for (MemberScan member(data); member.next();) {
    const size_t value = member.value();
    if (look.error == kNone && member.is("error")) look.error = value;
    if (look.usage == kNone && member.is("usage")) look.usage = value;
    if (look.has_text || data[value] != '"') continue;
    const bool may_hold = std::any_of(kTextKeys.begin(), kTextKeys.end(),
                                      [&member](auto key) { return member.is(key); });
    look.has_text = may_hold && string_at(data, value).size() > 2;
  }
  return look;
}

bool has_no_choices(std::string_view data) {
  const size_t at = find_value(data, "choices");
  if (at == kNone || data[at] != '[') return false;
  const size_t next = data.find_first_not_of(" \t\r\n", at + 1);
  return next != kNone && data[next] == ']';
}

}  // namespace

AnswerFilter::AnswerFilter(bool is_event_stream, AnswerEdits edits, Dialect dialect)
    : is_event_stream_(is_event_stream), edits_(std::move(edits)), dialect_(dialect) {}

std::string_view AnswerFilter::feed(std::string_view bytes) {
  new_tokens_ = 0;
  if (passes_unread_) return bytes;
  if (!is_event_stream_) {
    if (dialect_ == Dialect::responses && head_.size() < kHeadMax) {
      head_.append(bytes.substr(0, kHeadMax - head_.size()));
    }
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
  if (dialect_ == Dialect::responses) look_for_id();
  if (!edits_.renames()) return out_;
  if (dialect_ == Dialect::responses || dialect_ == Dialect::messages) {
    append_renamed(kept_, find_member(kept_, {"model"}));
  } else {
    append_renamed(kept_);
  }
  return out_;
}

void AnswerFilter::take_event(const SseEvent& event) {
  ++events_seen_;
  if (dialect_ != Dialect::chat) return take_typed_event(event);
  if (!look_at_data(event.data)) return;
  if (event.name == "error") error_seen_ = true;
  if (edits_.renames() && !event.data.empty()) {
    append_renamed(event.raw);
  } else {
    out_.append(event.raw);
  }
}

void AnswerFilter::take_typed_event(const SseEvent& event) {
  EventLook look = look_at_event(dialect_, event);
  if (look.has_text) {
    ++new_tokens_;
    ++tokens_counted_;
  }
  done_seen_ = done_seen_ || look.is_end;
  error_seen_ = error_seen_ || look.is_error;
  if (look.usage) usage_ = usage_ ? merged(*usage_, *look.usage) : *look.usage;
  if (response_id_.empty()) response_id_ = std::move(look.response_id);
  const bool plain = dialect_ == Dialect::plain;
  if (!edits_.renames() || event.data.empty() || (!plain && look.model.size == 0)) {
    out_.append(event.raw);
  } else if (plain || event.is_joined) {
    append_renamed(event.raw);
  } else {
    const auto data_begin = static_cast<size_t>(event.data.data() - event.raw.data());
    look.model.begin += data_begin;
    append_renamed(event.raw, look.model);
  }
}

bool AnswerFilter::look_at_data(std::string_view data) {
  if (data.empty()) return true;
  if (trim(data) == "[DONE]") {
    done_seen_ = true;
    return true;
  }
  const DataLook look = look_at_members(data);
  if (look.has_text) {
    ++new_tokens_;
    ++tokens_counted_;
  }
  if (look.error != kNone && data[look.error] == '{') error_seen_ = true;
  if (look.usage == kNone || data[look.usage] != '{') return true;
  if (const auto read = read_usage(object_at(data, look.usage))) usage_ = read;
  return !(edits_.strip_usage && has_no_choices(data));
}

void AnswerFilter::look_at_tail() {
  const size_t usage = find_last_value(kept_, "usage");
  if (usage != kNone && kept_[usage] == '{') usage_ = read_usage(object_at(kept_, usage));
  if (usage_ || dialect_ != Dialect::plain) return;
  const size_t tokens = find_last_value(kept_, "tokens");  // meta.tokens, as Cohere's reranker says
  if (tokens != kNone && kept_[tokens] == '{') usage_ = read_usage(object_at(kept_, tokens));
}

// A response's id stands before its output.
void AnswerFilter::look_for_id() {
  for (size_t at = find_value(head_, "id"); at != kNone; at = find_value(head_, "id", at)) {
    const Result<std::string> id = ports::read_json_string(string_at(head_, at));
    if (!id) continue;
    response_id_ = *id;
    return;
  }
}

void AnswerFilter::append_renamed(std::string_view raw) {
  const size_t at = find_value(raw, "model");
  if (at == kNone) {
    out_.append(raw);
  } else {
    append_renamed(raw, {at, string_at(raw, at).size()});
  }
}

void AnswerFilter::append_renamed(std::string_view raw, TextSpan model) {
  const std::string_view value = raw.substr(model.size == 0 ? 0 : model.begin, model.size);
  const Result<std::string> name = ports::read_json_string(value);
  if (!name || *name != edits_.upstream_model) {
    out_.append(raw);
    return;
  }
  out_.append(raw.substr(0, model.begin));
  out_.append(ports::write_json_string(edits_.client_model));
  out_.append(raw.substr(model.begin + model.size));
}

}  // namespace sluice::upstream
