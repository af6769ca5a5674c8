// The client's side of one connection: reads requests, hands each to an HttpService, writes the
// answers. One request at a time; what a client sends ahead (pipelining) waits, bounded.
//
// idle -> head -> body -> answering -> idle   (keep-alive)
//   any -> lingering -> closed                the last answer is out: FIN, then wait for the
//                                             client's
//   any -> closed                             the client left, or broke the connection
// A FIN before the answer ended means that the client left.
// Lifetime: the owner destroys it after on_closed, which comes in a turn of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/callback.h"
#include "firmware/base/time.h"
#include "firmware/ports/http_parser.h"
#include "firmware/ports/http_service.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::proxy {

struct ConnectionTimes {
  Duration head_max = Duration::seconds(10);   // from the first byte of a request to its whole head
  Duration idle_max = Duration::seconds(75);   // between requests, and between pieces of a body
  Duration body_max = Duration::seconds(600);  // from the head of a request to the end of its body
};

class HttpConnection : public ports::ByteSink, public ports::HttpAnswer {
 public:
  static constexpr size_t kInputMax = 64 * 1024 + 16 * 1024;  // kept unread
  static constexpr Duration kLingerMax = Duration::seconds(2);

  HttpConnection(std::unique_ptr<ports::ByteStream> stream,
                 std::unique_ptr<ports::HttpRequestParser> parser, ports::Timers& timers,
                 ports::HttpService& service, const ConnectionTimes& times, Callback on_closed);
  ~HttpConnection() override;

  void start();
  void finish_soon();  // no further request; an answer under way is finished first
  const ports::Address& peer() const { return peer_.address; }

  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_error(const Error& error) override;
  void on_drained() override;

  void send_head(int status, const ports::HttpFields& fields,
                 std::optional<uint64_t> length) override;
  void send_body(std::string_view bytes) override;
  void end() override;
  void cut() override;
  bool head_sent() const override { return head_sent_; }
  size_t backlog_bytes() const override;

 private:
  enum class State { idle, head, body, answering, lingering, closed };

  void move_to(State state);
  void on_turn();
  void on_late();
  void read_requests();
  bool take_step(const ports::HttpStep& step);  // false: stop reading for now
  void open_request();
  void refuse(int status, const std::string& why);
  void flush();
  void close_after_answer();
  void break_off();
  void close_when_sent();
  void client_left();
  void close();

  // Fixed after construction.
  std::unique_ptr<ports::ByteStream> stream_;
  std::unique_ptr<ports::HttpRequestParser> parser_;
  ports::HttpService& service_;
  ConnectionTimes times_;
  Callback on_closed_;
  ports::HttpPeer peer_;
  std::unique_ptr<ports::Timer> turn_;       // the next step, out of a callback
  std::unique_ptr<ports::Timer> late_;       // the client's time is up
  std::unique_ptr<ports::Timer> body_late_;  // the same, for a body as a whole

  // Changes.
  State state_ = State::idle;
  std::string input_;
  std::string output_;
  std::unique_ptr<ports::HttpActivity> activity_;
  bool input_paused_ = false;
  bool body_complete_ = false;
  bool head_sent_ = false;
  bool answer_ended_ = false;
  bool chunked_ = false;
  bool ends_with_close_ = false;  // the body, for an HTTP/1.0 client
  bool bodyless_ = false;         // the answer to a HEAD request
  bool keep_alive_ = true;
  bool closing_ = false;  // after this answer
  size_t linger_pending_ = 0;
};

}  // namespace sluice::proxy
