// What one uplink gives outside the tunnels: `where` questions (README.md) to the PoPs by each
// family, and, when wished, how large packets may be and who answers at the first hops. Up to a
// kilobyte for each address of a PoP; 20 to 130 kB for the sizes. Over at kWhereGiveUp when nothing
// answers, at twice that at the latest. Several may run beside each other.
// Thread: loop. The sink hears of it once, never inside start(), and may destroy the probe.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/pop_date.h"
#include "firmware/tunnel/probe_identity.h"
#include "firmware/tunnel/where_asks.h"

namespace sluice::tunnel {

inline constexpr size_t kAskedPopsMax = 8;
inline constexpr size_t kAskedHostsMax = 4;  // of a PoP
inline constexpr int kHopsAsked = 3;

struct AskedPop {
  std::string name;
  std::vector<IpAddress> hosts;  // both families; the first kAskedHostsMax are asked
  uint16_t where_port = 0;       // and the next one
};

struct UplinkProbeSpec {
  std::string uplink;
  ports::OutboundWay way;
  std::vector<AskedPop> pops;  // the first kAskedPopsMax are asked
  ProbeIdentity identity;
  bool hops = false;  // also who answers at the first kHopsAsked hops (v4)
  bool mtu = false;   // also how large packets may be
  int link_mtu = 1500;
};

// Of one address of a PoP.
struct WhereFinding {
  std::string pop;
  IpAddress host;
  bool reachable = false;
  Duration round_trip;                   // the least
  std::optional<IpEndpoint> seen;        // our source as where_port saw it
  std::optional<IpEndpoint> seen_other;  // and as the next port saw it, from the same socket
  bool cloned = false;                   // the PoP knows another instance of this identity now
  bool stopping = false;
  std::string trouble;  // why it is not reachable, if somebody told
};

// The PoP's date less ours; known within +- uncertainty (half a round trip).
struct ClockFinding {
  Duration offset;
  Duration uncertainty;
  std::string pop;
};

struct UplinkFinding {
  std::string uplink;
  std::vector<WhereFinding> hosts;
  std::optional<ClockFinding> clock;                      // of the nearest answer
  std::array<std::optional<IpAddress>, kHopsAsked> hops;  // who said that a packet ended there
  int mtu4 = 0;  // the largest outer packet that went and came back; 0 = not asked or none did
  int mtu6 = 0;
  std::optional<PopDate> date;  // the same answer, whatever becomes of our date meanwhile
  bool reaches(IpAddress::Family family) const;
};

// How the uplink translates our addresses, as far as the answers tell.
enum class Nat {
  unknown,
  none,  // our own address is seen
  easy,  // one mapping whatever the destination port
  hard,  // another mapping for each destination port
};
const char* to_text(Nat nat);
// `own`: addresses of the uplink's interface.
Nat nat_of(const UplinkFinding& finding, const std::vector<IpPrefix>& own);
// More than one translation on the way: the second hop is private or of a provider's translation,
// or the uplink's own address is of a provider's translation.
bool is_double_nat(const UplinkFinding& finding, const std::vector<IpPrefix>& own);

struct UplinkProbePorts {
  const ports::Clock& clock;
  const ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Random& random;
  ports::Datagrams& datagrams;
};

class UplinkProbeSink {
 public:
  virtual ~UplinkProbeSink() = default;
  virtual void on_uplink_probed(const UplinkFinding& finding) = 0;
};

class UplinkProbe {
 public:
  UplinkProbe(const UplinkProbePorts& ports, UplinkProbeSpec spec, UplinkProbeSink& sink);
  ~UplinkProbe();
  UplinkProbe(const UplinkProbe&) = delete;
  UplinkProbe& operator=(const UplinkProbe&) = delete;

  // Order: once. Nothing to ask is an answer too.
  void start();

 private:
  class Asking;
  std::unique_ptr<Asking> asking_;
};

}  // namespace sluice::tunnel
