#include "firmware/upstream/messages_translation.h"

namespace sluice::upstream {

MessagesTranslation::MessagesTranslation(bool is_event_stream, MessageName name)
    : name_(std::move(name)) {
  if (is_event_stream) stream_.emplace(name_);
}

std::string_view MessagesTranslation::feed(std::string_view bytes) {
  if (stream_) return stream_->feed(bytes);
  broken_ = broken_ || whole_.size() + bytes.size() > kWholeMax;
  if (!broken_) whole_.append(bytes);
  return {};
}

std::string_view MessagesTranslation::finish() {
  if (stream_) return stream_->finish();
  if (broken_) return {};
  Result<std::string> said = message_from_chat(whole_, name_);
  if (!said) {
    broken_ = true;
    return {};
  }
  whole_ = std::move(*said);
  return whole_;
}

}  // namespace sluice::upstream
