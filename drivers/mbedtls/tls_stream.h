// A ByteStream inside TLS, on the server's side.
//
//   waiting --start--> greeting --first bytes--> handshake --done--> open
//   any --handshake over its time, or it fails; inner error; record broken; reset--> over
//
// A handshake begins with the first bytes, so a connection that sends none costs neither memory
// nor a place in the rate. After kRestAfter without traffic an open connection gives its record
// buffers back.
// A FIN without close_notify is told as the end, like a close_notify: see ports/tls.h. While the
// sink has paused reading, ciphertext that came in the same read is held (at most one read).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/mbedtls/handshake_rate.h"
#include "drivers/mbedtls/tls_context.h"
#include "drivers/mbedtls/tls_session.h"
#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/tls.h"

namespace sluice::drivers {

inline constexpr Duration kRestAfter = Duration::seconds(2);

// What the streams of one server share. Outlives them.
struct TlsHouse {
  ports::Timers& timers;
  ports::Clock& clock;
  Log& log;
  ports::TlsLimits limits;
  HandshakeRate rate;
  uint64_t over_rate = 0;  // refused since it was last told
  Instant told;
};

class TlsStream final : public ports::ByteStream, private ports::ByteSink {
 public:
  TlsStream(std::unique_ptr<ports::ByteStream> inner, std::shared_ptr<const TlsContext> context,
            TlsHouse& house);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void start(ports::ByteSink& sink) override;
  void write(std::string_view bytes) override;
  size_t pending_bytes() const override;
  size_t untaken_bytes() const override;
  void pause_reading() override;
  void resume_reading() override;
  void end_writing() override;
  void reset() override;
  const ports::Address& peer() const override { return inner_->peer(); }

 private:
  enum class State { waiting, greeting, handshake, open, over };

  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_error(const Error& error) override;
  void on_drained() override;

  void move_to(State next);
  bool greet(char first);
  bool is_within_rate();
  bool shake_hands();
  bool deliver();  // false: the stream is gone, or over
  bool take_step(TlsSession::Step step, std::string_view text);
  void flush();
  void finish_writing();
  void stay_awake();
  void on_late();
  void on_turn();
  void turn_soon();
  void fail(const std::string& why);

  // Fixed after construction.
  const std::unique_ptr<ports::ByteStream> inner_;
  TlsHouse& house_;
  std::shared_ptr<const TlsContext> context_;  // until the session has it
  // Changes.
  State state_ = State::waiting;
  ports::ByteSink* sink_ = nullptr;
  std::unique_ptr<TlsSession> session_;  // from the first bytes on
  std::string held_;                     // ciphertext that waits for resume_reading
  std::string unsent_;                   // text that waits for the handshake
  bool paused_ = false;
  bool peer_ended_ = false;
  bool ending_ = false;
  bool fin_sent_ = false;
  bool active_ = false;                // since late_ was started
  bool* gone_ = nullptr;               // set when destroyed inside deliver
  std::optional<std::string> failed_;  // to be told in a turn of its own
  std::unique_ptr<ports::Timer> late_;
  std::unique_ptr<ports::Timer> turn_;  // made when first needed
};

}  // namespace sluice::drivers
