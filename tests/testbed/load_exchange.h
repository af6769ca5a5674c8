// One request of the load driver on one connection, from connect to its ending. Every exchange ends
// exactly once, in one Outcome.
//
// Lifetime: destroyed by the owner after on_exchange_end(), not inside it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/testbed/answer_check.h"
#include "tests/testbed/http_reader.h"
#include "tests/testbed/poller.h"
#include "tests/testbed/sse_lines.h"

namespace sluice::testbed {

enum class Outcome {
  ok,
  http_error,   // a complete answer with another status than 200
  error_event,  // the answer said itself that it failed
  refused,      // no connection
  closed,       // the connection was closed without a byte of an answer
  cut,          // the answer ended early: FIN, or a stream without [DONE]
  reset,        // RST at any time after the connection stood
  timeout,
  aborted,  // by us, on purpose
  malformed,
  wrong_bytes
};

std::string_view name_of(Outcome outcome);

struct Target {
  sockaddr_storage address{};
  socklen_t address_size = 0;
};

struct LoadRequest {
  std::int64_t index = 0;
  Micros due = 0;  // times are measured from here
  ExpectedAnswer expected;
  bool stream = true;
  std::string bytes;  // head and body
  Micros timeout = 0;
  std::int64_t abort_after_tokens = -1;  // of a stream; -1: never
  Micros abort_after = -1;               // of a whole answer
};

struct LoadResult {
  Outcome outcome = Outcome::ok;
  int status = 0;
  std::string why;
  std::string node;   // header x-sluice-node
  std::string model;  // as the answer names it
  std::string request_id;
  Micros started = 0;
  Micros ended = 0;
  Micros first_text = 0;  // 0: none
  Micros last_text = 0;
  std::int64_t tokens = 0;
  std::size_t comments = 0;  // keep-alives in the stream
  bool resent = false;       // a kept connection had been closed meanwhile
};

class LoadExchange;

class ExchangeOwner {
 public:
  virtual void on_exchange_end(LoadExchange& exchange) = 0;

 protected:
  ~ExchangeOwner() = default;
};

class LoadExchange final : public Pollable {
 public:
  LoadExchange(Poller& poller, ExchangeOwner& owner, const Target& target, LoadRequest request);
  ~LoadExchange() override;

  // On a kept connection if kept_fd >= 0, else on a new one. May end before it returns.
  void start(int kept_fd);
  void abort();

  const LoadRequest& request() const { return request_; }
  const LoadResult& result() const { return result_; }
  // The connection, if it can carry another request; the caller owns it.
  int take_connection();

  void on_ready(std::uint32_t epoll_events) override;

 private:
  void connect();
  void write_some();
  void read_some();
  void on_closed(bool by_reset);
  void on_bytes(std::string_view bytes);
  void on_body(std::string_view bytes);
  void on_message_end();
  void judge();
  bool resend();
  void end(Outcome outcome, std::string why = "");
  void arm_timers();
  void disarm_timers();

  Poller& poller_;
  ExchangeOwner& owner_;
  const Target& target_;
  LoadRequest request_;

  int fd_ = -1;
  bool kept_ = false;
  bool connected_ = false;
  bool ended_ = false;
  std::size_t sent_ = 0;
  HttpReader reader_{HttpReader::Role::response};
  SseLines lines_;
  AnswerCheck check_;
  std::string whole_;
  LoadResult result_;
  std::optional<Poller::TimerId> timeout_;
  std::optional<Poller::TimerId> abort_;
};

}  // namespace sluice::testbed
