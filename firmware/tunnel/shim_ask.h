// Whether the way of the TCP/443 shim is open: connects to a PoP's TCP port and says hello with
// lane 0, which touches no lane (README.md). Thread: loop. The sink hears of it once, never inside
// start(), and may destroy this.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/clock.h"
#include "firmware/ports/random.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/probe_identity.h"
#include "firmware/tunnel/probe_packet.h"
#include "firmware/tunnel/shim_frames.h"

namespace sluice::tunnel {

inline constexpr Duration kShimAskMax = Duration::seconds(4);  // for all of it

struct ShimAskFinding {
  bool connected = false;  // something took the connection
  bool answered = false;   // and it was the PoP
  Duration round_trip;     // of the hello
  Date date;               // the PoP's, half a round trip before its answer came
  std::string trouble;     // why it was not answered
};

class ShimAskSink {
 public:
  virtual ~ShimAskSink() = default;
  virtual void on_shim_asked(const ShimAskFinding& finding) = 0;
};

class ShimAsk final : private ports::DialSink, private ports::ByteSink {
 public:
  // All outlive this; `dialer` leaves by the uplink that is asked about.
  ShimAsk(const ports::Clock& clock, ports::Timers& timers, ports::Random& random,
          ports::Dialer& dialer, ProbeIdentity identity, ShimAskSink& sink);
  ~ShimAsk() override;
  ShimAsk(const ShimAsk&) = delete;
  ShimAsk& operator=(const ShimAsk&) = delete;

  void start(const ports::Address& pop);  // once

 private:
  enum class State {
    waiting,   // -> dialing
    dialing,   // -> greeting, telling
    greeting,  // -> telling
    telling,   // in a later turn -> over
    over,
  };

  void move_to(State next);
  void wake();
  void settle(std::string trouble);
  void on_connected(std::unique_ptr<ports::ByteStream> stream) override;
  void on_dial_failed(const Error& error) override;
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_error(const Error& error) override;
  void on_drained() override {}

  // Fixed after construction.
  const ports::Clock& clock_;
  ports::Dialer& dialer_;
  const ProbeIdentity identity_;
  ShimAskSink& sink_;

  // Changes.
  State state_ = State::waiting;
  ShimAskFinding finding_;
  ProbePacket hello_;
  ShimReader reader_;
  std::unique_ptr<ports::Timer> wake_;  // the time is up, or the sink is to be told
  std::unique_ptr<ports::Dial> dial_;
  std::unique_ptr<ports::ByteStream> stream_;
};

}  // namespace sluice::tunnel
