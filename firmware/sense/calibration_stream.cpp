#include "firmware/sense/calibration_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/ports/json.h"

namespace sluice::sense {

using ports::JsonValue;

namespace {

constexpr size_t kTroubleMax = 200;

std::string body_of(const CalibrationTarget& target, const CalibrationRequest& request) {
  JsonValue messages = JsonValue::array();
  messages.push(JsonValue::object({{"role", "user"}, {"content", request.prompt}}));
  return ports::to_json(
      JsonValue::object({{"model", target.model},
                         {"messages", std::move(messages)},
                         {"stream", true},
                         {"stream_options", JsonValue::object({{"include_usage", true}})},
                         {"max_tokens", request.output_tokens},
                         {"ignore_eos", true}}));
}

// Whether an event carries a token: its first choice's delta says something.
bool has_token(const JsonValue& event) {
  const JsonValue* choices = event.find("choices");
  if (choices == nullptr || choices->as_array() == nullptr || choices->as_array()->empty()) {
    return false;
  }
  const JsonValue* delta = choices->as_array()->front().find("delta");
  if (delta == nullptr) return false;
  return !delta->text("content").empty() || !delta->text("reasoning_content").empty() ||
         !delta->text("reasoning").empty();
}

}  // namespace

CalibrationStream::CalibrationStream(const CalibrationTarget& target,
                                     const CalibrationRequest& request, const ports::Clock& clock)
    : target_(target),
      clock_(clock),
      tokens_max_(static_cast<size_t>(std::max<int64_t>(1, request.output_tokens) * 2)) {
  spec_.origin = target.origin;
  spec_.target = target.path;
  spec_.fields = target.fields;
  spec_.body = std::make_shared<ports::TextBody>(body_of(target, request));
  spec_.timeouts.total = request.time_max;
}

void CalibrationStream::start() {
  ENSURE(state_ == State::asking && !call_);
  sent_ = clock_.now();
  call_ = target_.client->call(std::move(spec_), *this);
}

void CalibrationStream::move_to(State state) {
  ENSURE(state_ != State::ended && state > state_);
  state_ = state;
}

void CalibrationStream::end(std::string trouble) {
  trouble_ = std::move(trouble);
  move_to(State::ended);
}

void CalibrationStream::on_head(const ports::HttpResponseHead& head) {
  status_ = head.status;
  if (state_ == State::asking) move_to(State::streaming);
}

void CalibrationStream::on_body(std::string_view bytes) {
  if (status_ != 200) {
    line_.append(bytes.substr(0, kTroubleMax - std::min(kTroubleMax, line_.size())));
    return;
  }
  const Instant now = clock_.now();
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    if (line_.size() < kLineMax) line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    take_line(trim(line_), now);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void CalibrationStream::take_line(std::string_view line, Instant now) {
  if (!line.starts_with("data:")) return;
  const Result<JsonValue> event = ports::parse_json(trim(line.substr(5)));
  if (!event) return;  // [DONE], or nothing that could be counted
  if (has_token(*event) && tokens_.size() < tokens_max_) tokens_.push_back(now);
  const JsonValue* usage = event->find("usage");
  if (usage == nullptr) return;
  prompt_tokens_ = std::max<int64_t>(0, usage->integer("prompt_tokens"));
  output_tokens_ = std::max<int64_t>(0, usage->integer("completion_tokens"));
}

void CalibrationStream::on_end() {
  if (state_ == State::ended) return;
  if (status_ != 200) return end(fmt::format("the engine answered {}: {}", status_, line_));
  end(tokens_.empty() ? "the engine's answer had no tokens" : "");
}

void CalibrationStream::on_fail(const ports::HttpFailure& failure) {
  if (state_ != State::ended) end(failure.error.text);
}

}  // namespace sluice::sense
