// One attempt to have a request served by one node: counts it as in flight, has it metered, sends
// it, watches the answer. Whatever happens, it is counted out exactly once in sense and in meter.
//
// ready -> waiting_head -> answering | refusing -> ended
//          waiting_head -> ended               failed or cancelled
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/http_client.h"
#include "firmware/proxy/api_error.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/upstream/answer_filter.h"
#include "firmware/upstream/messages_translation.h"
#include "firmware/upstream/request_body.h"
#include "firmware/valve/plan.h"

namespace sluice::proxy {

// What one attempt is made of; referred to, not copied: it lives as long as the exchange.
struct AttemptOrder {
  const valve::Ask& ask;
  const Tenant& tenant;
  const upstream::RequestBody& body;
  const std::shared_ptr<const ports::HttpBody>& bytes;
  const ports::HttpFields& client_fields;
  const std::string& client_query;
  const std::string& request_id;
  upstream::Endpoint endpoint;      // the client's
  const sense::PromptMarks& marks;  // of the prompt; dropped after the first byte
  bool translated = false;          // the node gets its stand-in, and its answer is translated back
};

struct AttemptVerdict {
  bool served = false;
  bool retryable = false;         // another node may do better
  bool same_node_again = false;   // only the connection was stale
  bool was_sent = true;           // false: it did not reach the node
  ApiError error;                 // for the client, if this stays the last word
  std::string node_body;          // the node's own error body; passes on as it is if not empty
  ports::HttpFields node_fields;  // with it
};

class AttemptSink {
 public:
  virtual ~AttemptSink() = default;
  virtual void on_attempt_body(std::string_view bytes) = 0;
  virtual void on_attempt_end(AttemptVerdict verdict) = 0;  // last callback
};

class AttemptRun : public ports::HttpCallSink {
 public:
  static constexpr size_t kErrorBodyMax = 64 * 1024;
  // From a stream's [DONE] to the end of the answer that carried it.
  static constexpr Duration kAfterDoneMax = Duration::seconds(1);

  AttemptRun(ProxyWorld& world, const AttemptOrder& order, const valve::Candidate& candidate,
             int number, AttemptSink& sink);
  ~AttemptRun() override;

  void start(bool fresh_connection);
  // `why`: client_gone or outrun. No callback follows.
  void cancel(meter::Outcome why = meter::Outcome::client_gone);
  // Another node is to serve it: only while no byte has been passed on; no callback follows.
  void supersede();
  bool is_promise_in_sight() const;  // the TTFT may still be kept here
  void pause();
  void resume();

  Tokens tokens_used() const;  // in and out, as far as known
  valve::NodeId node() const { return candidate_.node; }
  // The node's, once it has accepted. The body's length holds for the client where passes_whole().
  const ports::HttpResponseHead& head() const { return head_; }
  bool is_event_stream() const { return filter_ && filter_->is_event_stream(); }
  int64_t events_passed() const;
  bool told_error() const { return filter_ && filter_->error_seen(); }  // in its stream
  bool passes_whole() const;  // the body's bytes and length stay as the node sent them

  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

 private:
  enum class State { ready, waiting_head, answering, refusing, ended };

  void move_to(State next);
  void on_after_done();
  void fail_unbegun(std::string why);
  void count_out_answered();
  void count_in();
  void count_out(meter::Outcome outcome, sense::FlightEnd end, std::string why);
  void look(std::string_view out);
  void fail_untranslated();
  void learn_response();
  upstream::Endpoint spoken() const;  // to the node
  AttemptVerdict refusal_verdict();
  AttemptVerdict failure_verdict(const ports::HttpFailure& failure);
  AttemptVerdict truncated_verdict();

  // Fixed after construction.
  ProxyWorld& world_;
  AttemptOrder order_;
  valve::Candidate candidate_;
  int number_;
  AttemptSink& sink_;
  uint64_t id_;
  std::string upstream_model_;

  // Changes.
  State state_ = State::ready;
  Instant sent_;
  std::optional<Instant> first_byte_;
  uint64_t received_ = 0;   // bytes of the node's body
  bool passed_on_ = false;  // something of it went to the client
  bool first_token_seen_ = false;
  bool counted_out_ = false;
  bool response_known_ = false;  // where it can be found again
  ports::HttpResponseHead head_;
  std::string error_body_;
  std::optional<upstream::AnswerFilter> filter_;
  std::optional<upstream::MessagesTranslation> translation_;  // of what the filter passes
  std::unique_ptr<ports::HttpCall> call_;
  std::unique_ptr<ports::Timer> after_done_;
};

}  // namespace sluice::proxy
