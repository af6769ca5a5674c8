// An answer of /v1/chat/completions on its way to a client of /v1/messages, stream or whole.
// A value: feed it pieces; a whole answer comes out at its end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/upstream/messages_stream.h"

namespace sluice::upstream {

class MessagesTranslation {
 public:
  static constexpr size_t kWholeMax = 16 * 1024 * 1024;

  MessagesTranslation(bool is_event_stream, MessageName name);

  // What to pass on now; valid until the next call. May be empty.
  std::string_view feed(std::string_view bytes);
  std::string_view finish();

  // It is no answer of chat completions, or too long: nothing more comes of it.
  bool is_broken() const { return broken_ || (stream_ && stream_->is_broken()); }
  int64_t events_sent() const { return stream_ ? stream_->events_sent() : 0; }

 private:
  MessageName name_;
  std::optional<MessagesStream> stream_;
  std::string whole_;
  bool broken_ = false;
};

}  // namespace sluice::upstream
