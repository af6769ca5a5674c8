// However a stream is cut, the events are the same and no byte is lost; an answer without edits
// passes byte for byte, and with edits its cuts do not show.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/upstream/answer_filter.h"
#include "firmware/upstream/sse_reader.h"

using namespace sluice;
using namespace sluice::upstream;

namespace {

std::vector<std::string> events_of(std::string_view text, size_t piece) {
  SseReader reader;
  std::vector<std::string> events;
  for (size_t at = 0; at < text.size(); at += piece) {
    reader.feed(text.substr(at, piece));
    while (const auto event = reader.next()) {
      events.emplace_back(event->raw);
      events.emplace_back(event->name);
      events.emplace_back(event->data);
      ENSURE(event->data.size() <= event->raw.size());
    }
  }
  events.emplace_back(reader.rest());
  return events;
}

std::string filtered(std::string_view text, size_t piece, bool stream, const AnswerEdits& edits,
                     Dialect dialect) {
  AnswerFilter filter(stream, edits, dialect);
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) out += filter.feed(text.substr(at, piece));
  out += filter.finish();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const std::vector<std::string> whole = events_of(text, size + 1);
  std::string back;
  for (size_t i = 0; i + 1 < whole.size(); i += 3) back += whole[i];
  ENSURE(back + whole.back() == text);
  for (const size_t piece : {1, 2, 3, 7}) ENSURE(events_of(text, piece) == whole);
  const AnswerEdits none;
  const AnswerEdits both{true, "up", "client"};
  for (const Dialect dialect :
       {Dialect::chat, Dialect::responses, Dialect::messages, Dialect::plain}) {
    for (const bool stream : {true, false}) {
      ENSURE(filtered(text, 3, stream, none, dialect) == text);
      const std::string edited = filtered(text, size + 1, stream, both, dialect);
      for (const size_t piece : {1, 5}) {
        ENSURE(filtered(text, piece, stream, both, dialect) == edited);
      }
    }
  }
  return 0;
}
