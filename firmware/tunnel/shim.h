// The box's end of the TCP/443 shim of one path. WireGuard's endpoint is a UDP port of 127.0.0.1;
// what it sends there goes on as frames over one TCP connection to the PoP, and back. Opened before
// it is needed, and opened again whenever it breaks. The protocol: README.md.
//
// UDP stays UDP: what the connection does not take soon is dropped, never queued behind what is
// older than kShimQueueMax; WireGuard and what it carries repeat what matters. One thing is kept
// while there is no connection: the last handshake initiation, which WireGuard would repeat only
// after five seconds.
// Thread: loop. The sink is never called inside a call of this object, and may destroy it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/random.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/probe_identity.h"
#include "firmware/tunnel/probe_packet.h"
#include "firmware/tunnel/shim_frames.h"
#include "firmware/tunnel/shim_queue.h"

namespace sluice::tunnel {

inline constexpr Duration kShimDialMax = Duration::seconds(5);
inline constexpr Duration kShimHelloMax = Duration::seconds(3);
inline constexpr Duration kShimKeepalive = Duration::seconds(5);    // after so long without a word
inline constexpr Duration kShimSilenceMax = Duration::seconds(15);  // of the PoP: it is gone
inline constexpr Duration kShimStallMax = Duration::seconds(4);  // it takes nothing of what waits
inline constexpr Duration kShimRetryMin = Duration::ms(250);     // doubles to
inline constexpr Duration kShimRetryMax = Duration::seconds(30);
// WireGuard waits so long for an answer to an initiation (REKEY_TIMEOUT).
inline constexpr Duration kShimInitiationMax = Duration::seconds(5);
inline constexpr Duration kShimSteady =
    Duration::seconds(10);  // up so long: the next retry is quick

struct ShimSpec {
  std::string host;       // of the PoP, numeric
  uint16_t tcp_port = 0;  // that it told for this path
  uint16_t lane = 0;
  ProbeIdentity identity;
};

struct ShimPorts {
  ports::Clock& clock;
  ports::Timers& timers;
  ports::Random& random;
  ports::Datagrams& datagrams;
  ports::Dialer& dialer;  // leaves by the path's uplink
};

struct ShimCounters {
  uint64_t to_pop = 0;  // datagrams
  uint64_t from_pop = 0;
  uint64_t dropped_full = 0;  // to the PoP: the connection did not take them soon enough
  uint64_t dropped_down = 0;  // to the PoP, while there was no connection; not initiations
  uint64_t dropped_here = 0;  // from the PoP: WireGuard was not known yet, or its socket was full
  uint64_t strangers = 0;     // datagrams that were not WireGuard's
  uint64_t connections = 0;   // that came up
};

class ShimSink {
 public:
  virtual ~ShimSink() = default;
  virtual void on_shim_up() = 0;
  virtual void on_shim_down(const Error& why) = 0;  // it was up; the next attempt is on its way
};

class Shim final : private ports::DatagramSink, private ports::DialSink, private ports::ByteSink {
 public:
  Shim(const ShimPorts& ports, ShimSpec spec, ShimSink& sink);
  ~Shim() override;
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

  // Opens the local port and begins to connect. Order: once, first. Errors: of the local port.
  Result<void> open();
  IpEndpoint local() const;  // for WireGuard's peer; it stays the same as long as this lives
  // The port that WireGuard sends from: all others of this machine are strangers then. 0 = not
  // known: the first that sends is taken for it.
  void set_wireguard_port(uint16_t port);
  // A new connection now: the uplink changed, or its tunnel is dead though the connection is not.
  void redial();
  bool is_up() const { return state_ == State::up; }
  std::optional<Duration> round_trip() const { return round_trip_; }  // of the last hello
  // Why it is not up; empty while it is, and before the first attempt ended.
  std::string trouble() const { return trouble_ ? trouble_->text : ""; }
  // The PoP's date, as the answer to the last hello told it; nothing: none came yet.
  struct Told {
    Date date;
    Instant received;
    Duration round_trip;
  };
  const std::optional<Told>& told() const { return told_; }
  const ShimCounters& counters() const { return counters_; }

 private:
  enum class State {
    closed,    // -> dialing
    dialing,   // -> greeting, resting
    greeting,  // the hello is sent -> up, resting
    up,        // -> resting
    resting,   // until the next attempt -> dialing
  };

  void move_to(State next);
  void dial();
  void wait_over();
  void answered(std::string_view frame);
  void forward(std::string_view frame);
  void say(std::string_view frame);
  void fall(const Error& why);  // the connection or the attempt ended: rest, then dial again
  void tick();
  void tell();
  Duration rest_time();

  void on_datagram(const IpEndpoint& from, std::string_view bytes, Instant received) override;
  void on_undelivered(const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                      const Error& error) override;
  void on_connected(std::unique_ptr<ports::ByteStream> stream) override;
  void on_dial_failed(const Error& error) override;
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_error(const Error& error) override;
  void on_drained() override {}

  // Fixed after construction.
  ShimPorts ports_;
  const ShimSpec spec_;
  ShimSink& sink_;

  // Changes.
  State state_ = State::closed;
  std::unique_ptr<ports::DatagramSocket> socket_;
  std::optional<IpEndpoint> wireguard_;
  std::unique_ptr<ports::Dial> dial_;
  std::unique_ptr<ports::ByteStream> stream_;
  ProbePacket hello_;  // the last
  ShimReader reader_;
  ShimQueue queue_;
  std::string initiation_;  // the last, while there is no connection
  Instant initiation_at_;
  Instant since_;                  // of the state
  Instant heard_;                  // the PoP's last bytes
  Instant spoke_;                  // our last frame
  Duration rest_ = kShimRetryMin;  // before the next attempt, about
  std::optional<Duration> round_trip_;
  std::optional<Told> told_;
  std::optional<Error> trouble_;
  ShimCounters counters_;
  bool told_up_ = false;
  std::unique_ptr<ports::Timer> wait_;  // for the answer to the hello, or until the next attempt
  std::unique_ptr<ports::Timer> tick_;  // while up
  std::unique_ptr<ports::Timer> tell_;  // the sink, in a later turn
};

}  // namespace sluice::tunnel
