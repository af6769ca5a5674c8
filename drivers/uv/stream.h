// A connected TCP or local socket.
//
//   waiting --start--> open --read error--------------------> over
//                      open --write error--> failing --two turns later--> over
//   any --reset--> over
//
// A write error is held back for two turns: what the peer sent before it closed (an early answer)
// is read first. For the files of this folder only.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "drivers/uv/loop.h"
#include "drivers/uv/socket.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

class UvStream final : public ports::ByteStream, private Gatherer {
 public:
  // Takes over `socket`, which is connected.
  UvStream(UvLoop& loop, ports::Timers& timers, Socket* socket, ports::Address peer);
  ~UvStream() override;
  UvStream(const UvStream&) = delete;
  UvStream& operator=(const UvStream&) = delete;

  void start(ports::ByteSink& sink) override;
  void write(std::string_view bytes) override;
  size_t pending_bytes() const override;
  size_t untaken_bytes() const override;
  void pause_reading() override;
  void resume_reading() override;
  void end_writing() override;
  void reset() override;
  const ports::Address& peer() const override { return peer_; }

 private:
  enum class State { waiting, open, failing, over };

  static void on_buffer(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) noexcept;
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept;
  static void on_write(uv_write_t* request, int status) noexcept;

  void move_to(State next);
  void listen_to_peer();
  void read_done(ssize_t count, const char* bytes);
  int error_behind_end() const;
  void send_gathered() override;
  void send_now(std::string_view bytes);
  int offer(std::span<const uv_buf_t> pieces);  // bytes taken, or libuv's error
  void drop_gathered();
  void send_waiting();
  void write_done(int status);
  void send_fin();
  void fail_soon(int code);
  void report_failure();

  // Fixed after construction.
  UvLoop& loop_;
  ports::Timers& timers_;
  const ports::Address peer_;
  // Changes.
  State state_ = State::waiting;
  Socket* socket_;  // null after reset
  ports::ByteSink* sink_ = nullptr;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool ending_ = false;
  std::string gathered_;  // written in this turn, not yet offered to the kernel; at most kGatherMax
  bool writing_ = false;  // libuv holds socket_->sending
  std::string waiting_;   // what came meanwhile; sent as one
  Error failure_;
  int turns_to_report_ = 0;
  std::unique_ptr<ports::Timer> report_;  // made when first needed
};

}  // namespace sluice::drivers
