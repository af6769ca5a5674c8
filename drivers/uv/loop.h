// The event loop: everything that waits in this program waits here.
//
// libuv runs a turn as: timers, poll and the callbacks of sockets ("the socket phase"), check
// handles, close callbacks. The loop brackets the poll: just before it and just after its
// callbacks it tells a TurnSink, and counts a new turn, so that time can be frozen in between.
//
// Lifetime: everything made on the loop (streams, timers, listeners, work) is destroyed before it.
// A handle still open when the loop is destroyed is a leak: the process ends.
// SIGPIPE is ignored from construction on: a peer that closed is an error of write, not a signal.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct uv_loop_s;
typedef struct uv_loop_s uv_loop_t;

namespace sluice::drivers {

inline constexpr size_t kReadBufferSize = 64 * 1024;

// Streams gather what is written to them within a turn; at its end each sends that in one piece.
// So a turn's answers go out in one row: a peer that is woken by the first finds the others there.
inline constexpr size_t kGatherMax = 16 * 1024;  // of one stream; more goes at once
inline constexpr size_t kGatherersMax = 64;      // so many streams make no other wait longer
inline constexpr size_t kSpareBuffersMax = kGatherersMax;

class Gatherer {
 public:
  virtual void send_gathered() = 0;

 protected:
  ~Gatherer() = default;
};

class TurnSink {
 public:
  virtual ~TurnSink() = default;
  virtual void on_before_poll() = 0;  // the last chance to ask for a wake-up
  virtual void on_after_poll() = 0;   // the callbacks of this poll have run; time has moved
};

class UvLoop {
 public:
  UvLoop();
  ~UvLoop();
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  void run();   // until stop(), even if nothing waits
  void stop();  // from the loop thread; run() returns after this turn

  uint64_t turn() const { return turn_; }
  // One sink at most; nullptr takes it away.
  void watch_turns(TurnSink* sink);
  // Shared by all streams: what is read is handed on before the next read.
  std::span<char> read_buffer() { return read_buffer_; }
  // send_gathered() at the end of the turn, or earlier; once. forget() takes it back.
  void gather(Gatherer& gatherer);
  void forget(Gatherer& gatherer);
  std::string take_buffer();  // empty, room in it
  void give_back(std::string buffer);
  uv_loop_t* raw();

 private:
  struct Handles;
  void send_gathered();
  void before_poll();
  void after_poll();

  uint64_t turn_ = 1;
  TurnSink* turns_ = nullptr;
  std::vector<Gatherer*> gatherers_;
  std::vector<Gatherer*> sending_;  // those whose turn it is
  std::vector<std::string> spare_buffers_;
  std::unique_ptr<Handles> handles_;
  std::array<char, kReadBufferSize> read_buffer_;
};

}  // namespace sluice::drivers
