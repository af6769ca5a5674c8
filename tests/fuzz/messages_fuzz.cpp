// A request to /v1/messages is said as a chat request that can be read, or refused with a reason;
// a stream of chunks becomes the same events however it is cut, in an order that is allowed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/ports/json.h"
#include "firmware/upstream/messages_request.h"
#include "firmware/upstream/messages_stream.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

std::string translate(std::string_view stream, size_t piece, bool& broken) {
  MessagesStream said({"msg_1", "m"});
  std::string out;
  for (size_t at = 0; at < stream.size(); at += piece) out += said.feed(stream.substr(at, piece));
  out += said.finish();
  broken = said.is_broken();
  return out;
}

// Blocks open and close one after another, between the first event and the last.
void check_order(std::string_view out) {
  SseReader reader;
  reader.feed(out);
  bool begun = false;
  bool open = false;
  bool over = false;
  while (const auto event = reader.next()) {
    ENSURE(!over && ports::parse_json(event->data).has_value());
    if (event->name == "message_start") {
      ENSURE(!begun);
      begun = true;
    } else if (event->name == "error") {
      over = true;
    } else {
      ENSURE(begun);
      if (event->name == "content_block_start") {
        ENSURE(!open);
        open = true;
      } else if (event->name == "content_block_stop") {
        ENSURE(open);
        open = false;
      } else if (event->name == "content_block_delta") {
        ENSURE(open);
      } else if (event->name == "message_stop") {
        ENSURE(!open);
        over = true;
      }
    }
  }
  ENSURE(reader.rest().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Result<std::string> chat = chat_request_from_messages(text);
  if (chat) {
    const Result<ports::JsonValue> read = ports::parse_json(*chat);
    ENSURE(read.has_value() && read->find("messages") != nullptr);
  } else {
    ENSURE(chat.error().kind == ErrorKind::refused && !chat.error().text.empty());
  }
  (void)message_from_chat(text, {"msg_1", "m"});
  ENSURE(ports::parse_json(message_error(400, text)).has_value());
  bool broken_whole = false;
  bool broken_pieces = false;
  const std::string at_once = translate(text, std::max<size_t>(1, size), broken_whole);
  const std::string in_pieces = translate(text, 1, broken_pieces);
  ENSURE(broken_whole == broken_pieces);
  ENSURE(at_once == in_pieces);
  check_order(at_once);
  return 0;
}
