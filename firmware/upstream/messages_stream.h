// A stream of /v1/chat/completions on its way to a client of /v1/messages: chunks become the typed
// events of Anthropic's stream, in their order:
//   message_start, then for each block content_block_start, content_block_delta ...,
//   content_block_stop; message_delta with the reason and usage; message_stop.
// Reasoning becomes thinking blocks, text text blocks, tool calls tool_use blocks with
// input_json_delta. Blocks follow one another: pieces of a later tool call that come while an
// earlier one is open are kept until that is done.
// A value: feed it pieces, however cut. Sources as messages_request.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/json.h"
#include "firmware/upstream/messages_answer.h"
#include "firmware/upstream/sse_reader.h"

namespace sluice::upstream {

class MessagesStream {
 public:
  static constexpr size_t kToolsMax = 128;
  static constexpr size_t kKeptMax = 1024 * 1024;  // bytes of later tool calls

  explicit MessagesStream(MessageName name) : name_(std::move(name)) {}

  // What to pass on now; valid until the next call. May be empty.
  std::string_view feed(std::string_view bytes);
  std::string_view finish();  // the node's stream has ended: an event may lack its empty line

  // Nothing more comes of it: an event is too long or no chunk, or a bound was passed.
  bool is_broken() const { return broken_; }
  int64_t events_sent() const { return events_sent_; }

 private:
  enum class Block { none, thinking, text, tool };
  struct Tool {
    int64_t index = 0;  // the node's
    std::string id;
    std::string name;
    std::string kept;
  };

  void take_event(const SseEvent& event);
  void take_chunk(const ports::JsonValue& chunk);
  void take_delta(const ports::JsonValue& delta);
  void take_call(const ports::JsonValue& call);
  void begin();
  void say(Block kind, std::string_view text);
  void open_block(Block kind, std::string_view content);
  void close_block();
  void open_tool(const Tool& tool);
  void close_all();
  void end();
  void fail(std::string_view body);
  void delta(std::string_view type, std::string_view key, std::string_view text);
  void event(std::string_view name, std::string_view data);

  MessageName name_;
  SseReader events_;
  std::string out_;
  bool begun_ = false;
  bool ended_ = false;
  bool broken_ = false;
  Block block_ = Block::none;
  int64_t block_index_ = -1;
  std::vector<Tool> tools_;  // not yet done; the first is the open block
  bool had_tools_ = false;
  size_t kept_ = 0;
  std::string finish_reason_;
  std::string stop_;
  ports::JsonValue usage_;
  int64_t events_sent_ = 0;
};

}  // namespace sluice::upstream
