// A check of the network: gathers, by every uplink at once, what netcheck.h judges. Sends to the
// PoPs of the membership, to their operator's endpoint (or the check address) and to the resolver,
// and changes nothing. Beside a running daemon it disturbs no tunnel.
// Thread: loop. The sink hears of it once, never inside start(), after kNetcheckMax at the latest,
// and may destroy this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/links.h"
#include "firmware/ports/names.h"
#include "firmware/ports/random.h"
#include "firmware/ports/streams.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/netcheck.h"
#include "firmware/tunnel/uplinks.h"

namespace sluice::tunnel {

inline constexpr Duration kNetcheckMax = Duration::seconds(8);
inline constexpr Duration kNetcheckNames = Duration::seconds(2);  // for the resolver

struct NetcheckPorts {
  const ports::Clock& clock;
  const ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Random& random;
  ports::Links& links;
  ports::Datagrams& datagrams;
  ports::Dialers& dialers;
  ports::Names& names;
  // A client for plain HTTP whose connections are the dialer's. It ends before the dialer.
  std::function<std::unique_ptr<ports::HttpClient>(ports::Dialer&)> http;
};

struct NetcheckWish {
  std::vector<UplinkSetting> uplinks;  // empty: those with a default route
  std::optional<Membership> membership;
  std::string membership_trouble;  // it is there and cannot be read: why
  std::string check_url;           // empty: the operator's
  std::optional<Date> floor;
};

class NetcheckSink {
 public:
  virtual ~NetcheckSink() = default;
  virtual void on_network_checked(const NetcheckEvidence& evidence) = 0;
};

class NetcheckRun {
 public:
  NetcheckRun(const NetcheckPorts& ports, NetcheckWish wish, NetcheckSink& sink);
  ~NetcheckRun();
  NetcheckRun(const NetcheckRun&) = delete;
  NetcheckRun& operator=(const NetcheckRun&) = delete;

  void start();  // once

 private:
  class Uplink;  // what is asked of one
  enum class State {
    waiting,    // -> resolving
    resolving,  // names of PoPs; portals are asked already -> asking, telling
    asking,     // -> telling
    telling,    // in a later turn -> over
    over,
  };

  void move_to(State next);
  void read_links();
  void resolve_names();
  void note_name(size_t pop, const Result<std::vector<IpAddress>>& answer);
  void ask_uplinks();
  void finish_if_over();
  void wake();
  void tell();

  // Fixed after construction.
  const NetcheckPorts ports_;
  const NetcheckWish wish_;
  NetcheckSink& sink_;

  // Changes.
  State state_ = State::waiting;
  NetcheckEvidence evidence_;
  Instant end_;
  size_t names_open_ = 0;
  std::unique_ptr<ports::Timer> wake_;
  std::vector<std::unique_ptr<ports::NameQuery>> queries_;
  std::vector<std::unique_ptr<Uplink>> uplinks_;
};

}  // namespace sluice::tunnel
