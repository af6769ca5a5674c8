// An answer on its way from the node to the client: passes on unchanged but for the declared edits
// (the usage chunk that only we asked for is left out; the model's name is the client's), and is
// looked at for the meter: tokens, usage, the end, an error.
// Streamed answers are cut into events; where an edit may be due an event waits until it is whole.
// Others pass as they come, unless the name must be changed: then they wait for their end, up to
// kRenamedBodyMax.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/units.h"
#include "firmware/upstream/event_look.h"
#include "firmware/upstream/sse_reader.h"
#include "firmware/upstream/usage.h"

namespace sluice::upstream {

struct AnswerEdits {
  bool strip_usage = false;    // we asked for it, the client did not
  std::string upstream_model;  // replaced by client_model where they differ
  std::string client_model;
  bool renames() const { return upstream_model != client_model; }
  bool any() const { return strip_usage || renames(); }
};

class AnswerFilter {
 public:
  static constexpr size_t kRenamedBodyMax = 16 * 1024 * 1024;
  static constexpr size_t kTailMax = 16 * 1024;  // of a whole answer, where usage stands

  static constexpr size_t kHeadMax = 4 * 1024;  // of a whole answer, where a response's id stands

  AnswerFilter(bool is_event_stream, AnswerEdits edits, Dialect dialect = Dialect::chat);

  // What to pass on now; valid until the next call. May be empty.
  std::string_view feed(std::string_view bytes);
  std::string_view finish();  // the node's answer is complete: what was kept back

  int new_tokens() const { return new_tokens_; }  // seen in the last feed()
  int64_t tokens_counted() const { return tokens_counted_; }
  int64_t events_seen() const { return events_seen_; }
  const std::optional<Usage>& usage() const { return usage_; }
  bool done_seen() const { return done_seen_; }    // the dialect's last event
  bool error_seen() const { return error_seen_; }  // an error object in the stream
  bool is_event_stream() const { return is_event_stream_; }
  // A stream of this dialect has a last event: without it the answer is not whole.
  bool has_last_event() const { return is_event_stream_ && dialect_ != Dialect::plain; }
  // Dialect::responses: the response's id; empty until it has been seen.
  const std::string& response_id() const { return response_id_; }
  // An event or body was too long to be read: the rest passes on, and its end is not looked for.
  bool passes_unread() const { return passes_unread_; }

 private:
  void take_event(const SseEvent& event);
  void take_typed_event(const SseEvent& event);
  void look_at_tail();
  bool look_at_data(std::string_view data);  // true: pass it on
  void append_renamed(std::string_view raw);
  void append_renamed(std::string_view raw, TextSpan model);
  void look_for_id();

  bool is_event_stream_;
  AnswerEdits edits_;
  Dialect dialect_;
  SseReader events_;
  std::string out_;
  std::string kept_;            // whole answers: all of it if it is renamed, else its tail
  bool passes_unread_ = false;  // an event or body too long to be read
  int new_tokens_ = 0;
  int64_t tokens_counted_ = 0;
  int64_t events_seen_ = 0;
  std::optional<Usage> usage_;
  bool done_seen_ = false;
  bool error_seen_ = false;
  std::string head_;  // the first bytes of a whole response
  std::string response_id_;
};

}  // namespace sluice::upstream
