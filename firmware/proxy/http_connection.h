// The client's side of one connection: reads requests, hands each to an HttpService, writes the
// answers. One request at a time; what a client sends ahead (pipelining) waits, bounded.
//
// idle -> head -> body -> answering -> idle   (keep-alive)
//   any -> lingering -> closed                the last answer is out: FIN, then wait for the
//                                             client's
//   any -> closed                             the client left, or broke the connection
// Reading never stops, so that a client's departure is noticed at once: beyond kInputMax what a
// client sends ahead is dropped, and the connection ends with the answer under way.
// A FIN before the answer ended means that the client left, unless the rules keep half-closed ones:
// then only a broken connection means it, and what was sent ahead is answered too.
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
#include "firmware/proxy/host_names.h"

namespace sluice::proxy {

struct ConnectionTimes {
  Duration head_max = Duration::seconds(10);   // from the first byte of a request to its whole head
  Duration idle_max = Duration::seconds(75);   // between requests
  Duration body_max = Duration::seconds(600);  // from the head of a request to the end of its body
  Duration body_slow_max = Duration::seconds(30);  // a body may be slower than body_per_s_min
  Duration stall_max = Duration::seconds(120);     // a client may take nothing of its answer
};

// What all connections of a listener have in common.
struct ConnectionRules {
  ConnectionTimes times;
  Bytes body_per_s_min{100};
  int64_t requests_max = 1000;          // then the connection is closed
  bool keeps_half_closed = false;       // a FIN is no departure
  std::optional<HostNames> host_names;  // nothing: any name will do
};

class HttpConnection : public ports::ByteSink, public ports::HttpAnswer {
 public:
  static constexpr size_t kInputMax = 64 * 1024;  // kept of what a client sends ahead
  static constexpr size_t kIdleBufferMax = 1024;  // larger ones are given back between requests
  static constexpr Duration kLingerMax = Duration::seconds(2);  // and again while the client sends
  static constexpr int kLingersMax = 15;

  HttpConnection(std::unique_ptr<ports::ByteStream> stream,
                 std::unique_ptr<ports::HttpRequestParser> parser, ports::Timers& timers,
                 ports::HttpService& service, std::shared_ptr<const ConnectionRules> rules,
                 Callback on_closed);
  ~HttpConnection() override;

  void start();
  // The answer under way is the last. Whoever is idle then may be sending a request just now: for
  // `grace` it is still answered, with "connection: close"; zero: not even that.
  void finish_soon(Duration grace);
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
  size_t read_requests(std::string_view input);  // how much of it was used
  bool take_step(const ports::HttpStep& step);   // false: stop reading for now
  void keep_ahead(std::string_view bytes);
  bool open_request();
  bool is_rightly_addressed() const;
  void refuse(int status, std::string_view code, const std::string& why);
  void wait_for_body();
  void on_body_late();
  void watch_taking();
  void on_taking_late();
  void go_on();
  void write(std::string_view bytes);
  uint64_t taken() const { return written_ - stream_->untaken_bytes(); }
  void flush();
  void close_after_answer();
  void linger();
  void on_linger_late();
  void break_off();
  void close_when_sent();
  void client_left();
  void close();

  // Fixed after construction.
  std::unique_ptr<ports::ByteStream> stream_;
  std::unique_ptr<ports::HttpRequestParser> parser_;
  ports::HttpService& service_;
  const std::shared_ptr<const ConnectionRules> rules_;
  Callback on_closed_;
  ports::HttpPeer peer_;
  std::unique_ptr<ports::Timer> turn_;  // the next step, out of a callback
  std::unique_ptr<ports::Timer> late_;  // the client's time is up

  // Changes.
  State state_ = State::idle;
  std::string input_;
  std::string output_;
  std::unique_ptr<ports::HttpActivity> activity_;
  int64_t requests_ = 0;
  Duration body_waited_;        // whole windows of body_slow_max
  Duration body_window_;        // that runs now
  uint64_t body_bytes_ = 0;     // in it
  uint64_t written_ = 0;        // to the stream, from the beginning on
  uint64_t taken_seen_ = 0;     // of these, by the client, at the last look
  bool input_dropped_ = false;  // with this answer the connection ends
  bool peer_ended_ = false;     // its FIN came
  bool still_sends_ = false;    // while the connection lingers
  int lingers_ = 0;
  bool body_complete_ = false;
  bool head_sent_ = false;
  bool answer_ended_ = false;
  bool chunked_ = false;
  bool cut_by_reset_ = false;
  bool bodyless_ = false;  // the answer to a HEAD request
  bool keep_alive_ = true;
  bool closing_ = false;  // after this answer
  Duration grace_;        // what is left to a client that is idle then
};

}  // namespace sluice::proxy
