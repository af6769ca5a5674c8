#include "firmware/upstream/messages_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"
#include "firmware/ports/json_scan.h"

namespace sluice::upstream {

using ports::JsonValue;
using ports::write_json_string;

std::string_view MessagesStream::feed(std::string_view bytes) {
  out_.clear();
  if (broken_ || ended_) return {};
  events_.feed(bytes);
  while (const std::optional<SseEvent> next = events_.next()) take_event(*next);
  if (events_.is_too_long()) broken_ = true;
  return out_;
}

std::string_view MessagesStream::finish() {
  out_.clear();
  if (broken_ || ended_) return {};
  if (const std::optional<SseEvent> last = events_.unfinished()) take_event(*last);
  return out_;
}

void MessagesStream::take_event(const SseEvent& event) {
  if (broken_ || ended_ || event.data.empty()) return;
  if (trim(event.data) == "[DONE]") return end();
  const Result<JsonValue> chunk = ports::parse_json(event.data);
  if (!chunk || chunk->as_object() == nullptr) {
    broken_ = true;
    return;
  }
  const JsonValue* error = chunk->find("error");
  if (event.name == "error" || (error != nullptr && !error->is_null())) return fail(event.data);
  take_chunk(*chunk);
}

void MessagesStream::take_chunk(const JsonValue& chunk) {
  begin();
  const JsonValue* usage = chunk.find("usage");
  if (usage != nullptr && usage->as_object() != nullptr) usage_ = *usage;
  const JsonValue* choices = chunk.find("choices");
  if (choices == nullptr || choices->as_array() == nullptr || choices->as_array()->empty()) return;
  const JsonValue& choice = choices->as_array()->front();
  if (choice.integer("index") != 0) return;  // only one was asked for
  const JsonValue* delta = choice.find("delta");
  if (delta != nullptr) take_delta(*delta);
  if (const std::string_view reason = choice.text("finish_reason"); !reason.empty()) {
    finish_reason_ = reason;
    stop_ = choice.text("stop_reason");
  }
}

void MessagesStream::take_delta(const JsonValue& delta) {
  const std::string_view thought = delta.text("reasoning_content", delta.text("reasoning"));
  if (!thought.empty()) say(Block::thinking, thought);
  if (const std::string_view text = delta.text("content"); !text.empty()) say(Block::text, text);
  if (const std::string_view text = delta.text("refusal"); !text.empty()) say(Block::text, text);
  const JsonValue* calls = delta.find("tool_calls");
  if (calls == nullptr || calls->as_array() == nullptr) return;
  for (const JsonValue& call : *calls->as_array()) take_call(call);
}

void MessagesStream::say(Block kind, std::string_view text) {
  if (block_ != kind) {
    close_all();
    open_block(kind, kind == Block::text ? R"({"type":"text","text":""})"
                                         : R"({"type":"thinking","thinking":"","signature":""})");
  }
  if (kind == Block::text) {
    delta("text_delta", "text", text);
  } else {
    delta("thinking_delta", "thinking", text);
  }
}

void MessagesStream::take_call(const JsonValue& call) {
  const JsonValue* function = call.find("function");
  if (broken_ || function == nullptr) return;
  const int64_t index = call.integer("index");
  auto tool = std::find_if(tools_.begin(), tools_.end(),
                           [index](const Tool& one) { return one.index == index; });
  if (tool == tools_.end()) {
    if (tools_.size() >= kToolsMax) {
      broken_ = true;
      return;
    }
    tools_.push_back(
        {index, std::string(call.text("id")), std::string(function->text("name")), ""});
    tool = tools_.end() - 1;
    had_tools_ = true;
    if (tools_.size() == 1) {
      close_block();
      open_tool(*tool);
    }
  }
  const std::string_view arguments = function->text("arguments");
  if (arguments.empty()) return;
  if (tool == tools_.begin()) return delta("input_json_delta", "partial_json", arguments);
  kept_ += arguments.size();
  tool->kept += arguments;
  if (kept_ > kKeptMax) broken_ = true;
}

void MessagesStream::begin() {
  if (begun_) return;
  begun_ = true;
  JsonValue message = JsonValue::object({{"id", name_.id},
                                         {"type", "message"},
                                         {"role", "assistant"},
                                         {"model", name_.model},
                                         {"content", JsonValue::array()}});
  message.add("stop_reason", JsonValue());
  message.add("stop_sequence", JsonValue());
  message.add("usage", message_usage(nullptr));
  event("message_start",
        to_json(JsonValue::object({{"type", "message_start"}, {"message", std::move(message)}})));
}

void MessagesStream::open_block(Block kind, std::string_view content) {
  block_ = kind;
  ++block_index_;
  event("content_block_start",
        fmt::format(R"({{"type":"content_block_start","index":{},"content_block":{}}})",
                    block_index_, content));
}

void MessagesStream::close_block() {
  if (block_ == Block::none) return;
  block_ = Block::none;
  event("content_block_stop",
        fmt::format(R"({{"type":"content_block_stop","index":{}}})", block_index_));
}

void MessagesStream::open_tool(const Tool& tool) {
  open_block(Block::tool, fmt::format(R"({{"type":"tool_use","id":{},"name":{},"input":{{}}}})",
                                      write_json_string(tool.id), write_json_string(tool.name)));
}

// The open block, and the tool calls that waited for it.
void MessagesStream::close_all() {
  close_block();
  for (size_t i = 1; i < tools_.size(); ++i) {
    open_tool(tools_[i]);
    if (!tools_[i].kept.empty()) delta("input_json_delta", "partial_json", tools_[i].kept);
    close_block();
  }
  tools_.clear();
  kept_ = 0;
}

void MessagesStream::end() {
  begin();
  close_all();
  ended_ = true;
  const std::string_view reason = stop_reason(finish_reason_, had_tools_, !stop_.empty());
  JsonValue why = JsonValue::object({{"stop_reason", reason}});
  why.add("stop_sequence", reason == "stop_sequence" ? JsonValue(stop_) : JsonValue());
  event("message_delta", to_json(JsonValue::object({{"type", "message_delta"},
                                                    {"delta", std::move(why)},
                                                    {"usage", message_usage(&usage_)}})));
  event("message_stop", R"({"type":"message_stop"})");
}

void MessagesStream::fail(std::string_view body) {
  ended_ = true;
  event("error", message_error(500, body));
}

void MessagesStream::delta(std::string_view type, std::string_view key, std::string_view text) {
  event(
      "content_block_delta",
      fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{{"type":"{}","{}":{}}}}})",
                  block_index_, type, key, write_json_string(text)));
}

void MessagesStream::event(std::string_view name, std::string_view data) {
  ++events_sent_;
  fmt::format_to(std::back_inserter(out_), "event: {}\ndata: {}\n\n", name, data);
}

}  // namespace sluice::upstream
