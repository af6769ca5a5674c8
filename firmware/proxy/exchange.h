// One request of a client from its body to its end: reads it, has the valve decide, waits if it
// must, runs the plan's candidates one after another, and passes the answer on.
//
// reading -> held | sending | done
// held    -> sending | done            a place became free; its time in the queue was up
// sending -> sending                   the next candidate: only while no byte of an answer has
//                                      reached the client; the one before failed, or its first
//                                      token is not in sight and the next can still keep the TTFT
// sending -> passing -> done           bytes flow
//   any   -> done                      the client left
// A keep-alive comment commits the status 200, not the answer: after it another candidate may still
// be tried, and an error is told as an event in the stream.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "firmware/ports/http_service.h"
#include "firmware/proxy/hedged_attempt.h"
#include "firmware/proxy/kept_body.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/proxy/translation.h"

namespace sluice::proxy {

class Exchange : public ports::HttpActivity, public AttemptSink, public HedgeSource, public Waiter {
 public:
  // `tenant` has been let in by RateLimit::enter; the exchange lets it out.
  Exchange(ProxyWorld& world, Tenant tenant, const ports::HttpRequestHead& head,
           upstream::Endpoint endpoint, ports::HttpAnswer& answer);
  ~Exchange() override;

  void on_body(std::string_view bytes) override;
  void on_body_end() override;
  void on_client_gone() override;
  void on_drained() override;

  void on_attempt_body(std::string_view bytes) override;
  void on_attempt_end(AttemptVerdict verdict) override;
  std::optional<HedgeCopy> copy_of_late() override;

  bool try_to_go(bool in_turn) override;
  void on_waited_too_long() override;

 private:
  enum class State { reading, held, sending, passing, done };

  void move_to(State state);
  std::variant<valve::Ask, ApiError> ask_of_body();
  bool speaks(const NodeAccess& access) const;
  void drop_body();
  // False: it waits on. `in_turn`: nobody of its kind goes before it.
  bool decide(bool in_turn);
  void hold();
  void refuse(const valve::Plan& plan, const valve::View& view);
  bool may_still_go(const valve::Candidate& candidate) const;
  AttemptOrder order_for(const valve::Candidate& candidate) const;
  void start_attempt(bool same_node);
  bool may_try_next(AttemptVerdict& verdict);
  void on_turn();
  void on_rescue();
  void on_quiet();
  void send_stream_head();
  bool cannot_pass() const;
  void finish_served();
  void fail(const ApiError& error);
  void fail_with_node_body(AttemptVerdict verdict);
  void leave();
  ports::HttpFields answer_fields(const ports::HttpFields& from_node, bool stream) const;

  // Fixed after construction.
  ProxyWorld& world_;
  Tenant tenant_;
  ports::HttpFields client_fields_;
  std::string client_query_;
  upstream::Endpoint endpoint_;
  ports::HttpAnswer& answer_;
  uint64_t id_;
  std::string request_id_;
  Instant arrived_;

  // Changes.
  State state_ = State::reading;
  std::shared_ptr<KeptBody> arriving_;           // until its end
  upstream::RequestReader reader_;               // of it
  std::shared_ptr<const ports::HttpBody> body_;  // until an answer's first byte has been passed on
  upstream::RequestBody read_;
  sense::PromptMarks marks_;               // as long as the body
  std::optional<Translation> translated_;  // for nodes that do not speak the endpoint
  valve::Ask ask_;
  Tokens estimated_;  // taken from the key's tokens per minute
  Tokens used_;       // by attempts that ended
  valve::Plan plan_;
  size_t candidate_ = 0;
  int attempts_ = 0;
  bool stale_seen_ = false;              // one attempt met a connection that the node had closed
  bool committed_ = false;               // the status 200 of a stream is out
  bool inside_ = true;                   // counted by the key's limits
  std::optional<AttemptVerdict> ended_;  // waits for the next turn
  std::unique_ptr<HedgedAttempt> attempt_;
  std::unique_ptr<ports::Timer> turn_;
  std::unique_ptr<ports::Timer> quiet_;
  std::unique_ptr<ports::Timer> rescue_;
};

}  // namespace sluice::proxy
