// One TCP connection to a server: at most one call at a time, resting between two calls.
// Lifetime: owned by a ConnectionOwner, which is told when it rests and when it is closed, and
// destroys it in a later turn. A call that is destroyed closes its connection at once.
// Order: the sink of the call hears nothing inside begin() or refuse().
//
// State         left by                                   for
//   fresh         begin, refuse                             dialing, refusing
//   refusing      the next turn                             closed (on_fail)
//   dialing       connected | failed, late, call destroyed  awaiting_head | closed
//   awaiting_head the head | fault, end, error, late ...    in_body | closed
//   in_body       the last byte | the same                  resting or closed | closed
//   resting       begin | anything from the peer, age       awaiting_head | closed
//   closed        nothing
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/http_parser.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

inline constexpr size_t kJoinedWriteMax = 32 * 1024;    // head and body up to here: one write
inline constexpr size_t kSendAheadMax = 512 * 1024;     // of a body, not yet taken by the kernel
inline constexpr size_t kSendPerTurnMax = 1024 * 1024;  // of a body, however fast the peer takes it

// Without a connect time of its own: longer than the kernel's last retry of a TCP handshake.
inline constexpr Duration kDialMax = Duration::seconds(150);

struct ConnectionPorts {
  ports::Dialer& dialer;
  ports::Timers& timers;
  ports::Clock& clock;
  ports::HttpParsers& parsers;
  ports::HttpLimits limits;
  std::string scratch;  // where requests are composed
};

class Http1Connection;

class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual void on_resting(Http1Connection& connection) = 0;  // may close it
  virtual void on_closed(Http1Connection& connection) = 0;
};

class Http1Call final : public ports::HttpCall {
 public:
  Http1Call() = default;
  Http1Call(const Http1Call&) = delete;
  Http1Call& operator=(const Http1Call&) = delete;
  ~Http1Call() override;
  void pause() override;
  void resume() override;
  void attach(Http1Connection* connection) { connection_ = connection; }  // null: over

 private:
  Http1Connection* connection_ = nullptr;
};

class Http1Connection final : private ports::ByteSink, private ports::DialSink {
 public:
  Http1Connection(ConnectionPorts& ports, ConnectionOwner& owner, ports::Address address);
  ~Http1Connection() override;
  Http1Connection(const Http1Connection&) = delete;
  Http1Connection& operator=(const Http1Connection&) = delete;

  void begin(ports::HttpCallSpec spec, ports::HttpCallSink& sink, Http1Call& call);
  void refuse(Error error, ports::HttpCallSink& sink, Http1Call& call);
  // What has been read already is still delivered after pause(): one read at most.
  void pause();
  void resume();
  void close();  // no sink hears of it

  const ports::Address& address() const { return address_; }
  Instant resting_since() const { return mark_; }
  bool rests_after_stream() const { return rests_after_stream_; }

 private:
  enum class State { fresh, refusing, dialing, awaiting_head, in_body, resting, closed };

  void move_to(State next);
  void adopt(ports::HttpCallSink& sink, Http1Call& call);
  void send();
  void send_more();
  bool has_more_to_send() const { return spec_.body != nullptr; }
  uint64_t unsent_bytes() const;
  void deliver_fresh(std::string_view bytes);
  std::optional<size_t> deliver(std::string_view input);  // nothing: the call is over
  bool deliver_head();
  bool deliver_body(std::string_view bytes);
  void finish(bool reusable);
  void fail(ErrorKind kind, std::string what, bool timed_out = false);
  ports::HttpCallSink* release_call();

  std::optional<Instant> stage_deadline() const;
  void arm();
  void on_timer();
  bool send_advanced();
  void fail_late();

  void on_connected(std::unique_ptr<ports::ByteStream> stream) override;
  void on_dial_failed(const Error& error) override;
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_error(const Error& error) override;
  void on_drained() override;

  // fixed after construction
  ConnectionPorts& ports_;
  ConnectionOwner& owner_;
  const ports::Address address_;
  // changes
  State state_ = State::fresh;
  ports::HttpCallSpec spec_;
  ports::HttpCallSink* sink_ = nullptr;
  Http1Call* call_ = nullptr;
  std::optional<Error> refusal_;  // told a turn later
  std::unique_ptr<ports::HttpResponseParser> parser_;
  std::string kept_;          // read, but an incomplete line: bounded by the parser's limits
  Instant started_;           // the call
  Instant mark_;              // begin of the stage; in the body, the last read
  Instant armed_for_;         // when the timer fires, if it runs
  uint64_t body_sent_ = 0;    // bytes of the request's body, given to the stream
  uint64_t unsent_seen_ = 0;  // bytes of the request not yet taken by the kernel
  int64_t body_bytes_ = 0;
  bool sent_ = false;                // the whole request has been handed to the kernel
  bool rests_after_stream_ = false;  // its last answer was one of events
  bool reused_ = false;
  bool byte_seen_ = false;  // of this call's answer
  bool paused_ = false;
  // Last, so that nothing calls back into members that are gone.
  std::unique_ptr<ports::ByteStream> stream_;
  std::unique_ptr<ports::Dial> dial_;
  std::unique_ptr<ports::Dial> spent_dial_;  // never destroyed inside its own callback
  std::unique_ptr<ports::Timer> timer_;
};

}  // namespace sluice::drivers
