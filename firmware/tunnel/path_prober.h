// Asks one path, inside its tunnel, all the time: sockets bound to the path's interface, the
// detector, the search for the largest packet. Its owner tells it what happens to the underlay.
//
//   stopped --start--> asking --lose--> waiting --regain--> asking
//      ^-----------------stop--------------'-------------------'
//
// Thread: loop. The sink is called in a later turn, once for all that changed until then; what the
// owner tells is in state() and fill() when the call returns, so that on lost carrier it can switch
// in the same turn. start() after a stop begins anew: sequences, round trip, search; what is known
// of its failures stays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "firmware/base/ip.h"
#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/mtu_search.h"
#include "firmware/tunnel/path_health.h"
#include "firmware/tunnel/probe_packet.h"

namespace sluice::tunnel {

struct ProberSpec {
  std::string interface;
  IpAddress source;  // the inner address
  IpEndpoint pop;    // where the PoP answers inside the tunnel
  uint16_t lane = 0;
  uint64_t box = 0;
  uint64_t instance = 0;
  std::string key;  // secret; kProbeKeyBytes
  int mtu = 0;      // of the interface
  bool metered = false;
  bool operator==(const ProberSpec&) const = default;
  // Whether what was learned by this one holds for that one: all but what changes live.
  bool same_series(const ProberSpec& other) const;
};

class ProberSink {
 public:
  virtual ~ProberSink() = default;
  // State, rating, largest packet, or what the PoP says of us is another one than before.
  virtual void on_path_changed(int number) = 0;
};

struct ProberPorts {
  const ports::Clock& clock;
  ports::Timers& timers;
  ports::Datagrams& datagrams;
  ports::Random& random;
  Log& log;
};

class PathProber final : private ports::DatagramSink {
 public:
  // What the PoP told in its last answer.
  struct Told {
    Instant received;
    Duration rtt;
    Date date;  // of the PoP, when it answered
    bool identity_elsewhere = false;
    bool pop_stopping = false;
    std::optional<IpEndpoint> seen_source;
  };

  PathProber(int number, const PathSettings& settings, const ProberPorts& ports, ProberSink& sink);
  ~PathProber() override;
  PathProber(const PathProber&) = delete;
  PathProber& operator=(const PathProber&) = delete;

  // Errors: refused (the key's length), those of opening its sockets. The path is down then, and
  // start may be called again.
  Result<void> start(ProberSpec spec);
  void stop(std::string trouble);
  void lose(DeathCause cause);
  void regain();
  void move_endpoint();  // the peer's endpoint was set anew
  // Which classes it is chosen for: the PoP is told with every question, of a new one at once.
  void set_carrying(bool interactive, bool bulk);
  void set_mtu(int mtu);  // of the interface; sought anew when it is another one
  void set_metered(bool metered);
  void set_settings(const PathSettings& settings);
  void ask_now();  // for fresh proof, for example when the chosen path is suspect

  int number() const { return number_; }
  PathState state() const { return health_.state(); }
  void fill(PathView& view) const;  // all but name and preference
  const PathHealth& health() const { return health_; }
  const MtuSearch& sizes() const { return sizes_; }
  const std::optional<Told>& told() const { return told_; }
  uint64_t strange() const { return strange_; }  // datagrams that were not authentic, or not ours
  // Why packets could not be sent, last; empty: they could.
  const std::string& send_trouble() const { return send_trouble_; }

 private:
  enum class State { stopped, asking, waiting };
  void move_to(State state);

  void on_datagram(const IpEndpoint& from, std::string_view bytes, Instant received) override;
  void on_undelivered(const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                      const Error& error) override;
  bool is_ours(const ProbePacket& packet) const;
  Result<std::unique_ptr<ports::DatagramSocket>> open(TrafficClass traffic);
  void on_wake();
  void act();
  void ask_size(Instant now);
  Result<void> send(TrafficClass traffic, uint64_t sequence, size_t size);
  void tell_of_changes();

  // Fixed after construction.
  const int number_;
  const ports::Clock& clock_;
  ports::Datagrams& datagrams_;
  ports::Random& random_;
  ProberSink& sink_;
  const std::unique_ptr<ports::Timer> wake_;
  const std::unique_ptr<ports::Timer> tell_;
  // Changes.
  State state_ = State::stopped;
  ProberSpec spec_;
  uint64_t start_ = 0;  // of this series of sequences
  PathHealth health_;
  MtuSearch sizes_;
  std::optional<Told> told_;
  std::unique_ptr<ports::DatagramSocket> interactive_;
  std::unique_ptr<ports::DatagramSocket> bulk_;
  bool carries_interactive_ = false;
  bool carries_bulk_ = false;
  Instant due_;               // of wake_
  bool gave_a_turn_ = false;  // it woke late, and sockets were read since
  int mtu_told_ = 0;
  uint64_t strange_ = 0;
  std::string send_trouble_;
};

}  // namespace sluice::tunnel
