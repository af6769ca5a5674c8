// A real loop with all that lives on it, and sinks that remember what they heard.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/uv/clock.h"
#include "drivers/uv/dialer.h"
#include "drivers/uv/listeners.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"

namespace sluice::drivers {

struct World {
  UvLoop loop;
  UvClock clock{loop};
  UvTimers timers{loop, clock};
  UvListeners listeners{loop, timers};
  UvDialer dialer{loop, clock, timers};

  // Until stop(); a test that hangs fails after `limit`.
  void run(Duration limit = Duration::seconds(20)) {
    bool hung = false;
    const auto guard = timers.make([this, &hung] {
      hung = true;
      loop.stop();
    });
    guard->start(limit);
    loop.run();
    CHECK_FALSE(hung);
  }
  void stop() { loop.stop(); }

  // A moment in which everything that is on its way over loopback arrives.
  void settle() {
    int turns = 50;
    std::unique_ptr<ports::Timer> tick;
    tick = timers.make([&] {
      if (--turns == 0) return loop.stop();
      tick->start(Duration::ms(1));
    });
    tick->start(Duration());
    loop.run();
  }
};

// One end of a connection.
struct End final : ports::ByteSink {
  std::unique_ptr<ports::ByteStream> stream;
  std::string heard;
  int ends = 0;
  int drains = 0;
  int errors = 0;
  Error error;
  std::function<void(std::string_view)> bytes_seen;
  Callback end_seen;
  Callback error_seen;
  Callback drain_seen;

  void on_bytes(std::string_view bytes) override {
    heard.append(bytes);
    if (bytes_seen) bytes_seen(bytes);
  }
  void on_end() override {
    ++ends;
    if (end_seen) end_seen();
  }
  void on_error(const Error& what) override {
    ++errors;
    error = what;
    if (error_seen) error_seen();
  }
  void on_drained() override {
    ++drains;
    if (drain_seen) drain_seen();
  }
};

struct Door final : ports::AcceptSink {
  std::vector<std::unique_ptr<ports::ByteStream>> streams;
  Callback accepted;
  void on_accept(std::unique_ptr<ports::ByteStream> stream) override {
    streams.push_back(std::move(stream));
    if (accepted) accepted();
  }
};

struct Caller final : ports::DialSink {
  std::unique_ptr<ports::Dial> dial;
  std::unique_ptr<ports::ByteStream> stream;
  std::optional<Error> error;
  Callback ended;
  void on_connected(std::unique_ptr<ports::ByteStream> connected) override {
    stream = std::move(connected);
    dial.reset();
    if (ended) ended();
  }
  void on_dial_failed(const Error& what) override {
    error = what;
    dial.reset();
    if (ended) ended();
  }
};

inline ports::Address loopback_port(uint16_t port = 0) { return {"127.0.0.1", port, ""}; }

// Two ends of one connection, both started.
struct Pair {
  World& world;
  End near;  // dialled
  End far;   // accepted
  explicit Pair(World& in, const ports::Address& at = loopback_port()) : world(in) {
    Door door;
    Caller caller;
    auto listener = world.listeners.listen(at, door);
    REQUIRE(listener);
    const Callback both = [&] {
      if (caller.stream != nullptr && !door.streams.empty()) world.stop();
    };
    door.accepted = both;
    caller.ended = both;
    caller.dial = world.dialer.dial((*listener)->address(), Duration::seconds(5), caller);
    world.run();
    REQUIRE(caller.stream != nullptr);
    near.stream = std::move(caller.stream);
    far.stream = std::move(door.streams.front());
    near.stream->start(near);
    far.stream->start(far);
  }
};

}  // namespace sluice::drivers
