// One request over the control socket of a userspace WireGuard, on a connection of its own.
// The request goes out at once, as a whole where the socket takes it: the program serves nobody
// else from its first line to its last.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "drivers/uapi/secret_text.h"
#include "drivers/uv/held_descriptor.h"
#include "drivers/uv/loop.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/timers.h"

namespace sluice::drivers {

class UapiExchange {
 public:
  // Errors: gone (nobody listens, or it closed), busy (no answer in time), broken (too long).
  using OnAnswer = std::function<void(Result<SecretText>)>;

  // The answer comes in a later turn; it may destroy this.
  UapiExchange(UvLoop& loop, ports::Timers& timers, const std::string& path, SecretText request,
               Duration time_max, OnAnswer on_answer);
  ~UapiExchange();  // gives up
  UapiExchange(const UapiExchange&) = delete;
  UapiExchange& operator=(const UapiExchange&) = delete;

 private:
  enum class State { sending, reading, over };
  struct Poll;

  void connect(UvLoop& loop, const std::string& path);
  void listen();
  void act();
  bool read_some();
  void send_some();
  void end_soon(Error why);
  void finish(Result<SecretText> answer);
  void on_time();

  // Fixed after construction.
  const OnAnswer on_answer_;
  // Changes.
  State state_ = State::sending;
  HeldDescriptor descriptor_;
  Poll* poll_ = nullptr;  // lives until its close callback
  SecretText request_;
  size_t sent_ = 0;
  SecretText answer_;
  Error failure_;  // what is told when the timer fires
  std::unique_ptr<ports::Timer> timer_;
};

}  // namespace sluice::drivers
