// The box's side of the operator's HTTPS interface (README.md): join, keys of the paths, re-adding,
// news of the network, leaving. It goes outside the tunnel.
// Thread: loop. Order: requests are sent one at a time in the order of the calls; `done` comes in a
// later turn, once; with kEnrolmentQueueMax waiting it says busy. Destroying the Enrolment silences
// all. Nothing here logs or tells a secret.
// Retries: what may be said twice is said up to kEnrolmentTries times with growing pauses when no
// answer came or the operator is busy (429, 5xx); a join only when the connection failed.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/json.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/membership.h"

namespace sluice::tunnel {

inline constexpr Bytes kEnrolmentAnswerMax{256 * 1024};
inline constexpr int kEnrolmentTries = 5;
inline constexpr Duration kEnrolmentPause = Duration::seconds(1);  // doubles, up to:
inline constexpr Duration kEnrolmentPauseMax = Duration::seconds(30);
inline constexpr Duration kEnrolmentTotal = Duration::seconds(20);  // of one try
inline constexpr size_t kEnrolmentQueueMax = 64;
inline constexpr size_t kTokenMax = 512;

// Keys of one path, as the PoP is told.
struct PeerToPut {
  PathName path;
  ports::WgKey public_key{};
};

// What the operator tells of the network: everything but who we are and our paths.
struct NetworkNews {
  std::string network;
  IpAddress address;
  std::vector<IpPrefix> prefixes;
  ports::WgSecret probe_key;
  std::vector<Pop> pops;
};
void take_news(Membership& membership, NetworkNews news);

// What is put for one PoP: all its paths, those in rotation with their next key.
std::vector<PeerToPut> peers_of(const Membership& membership, std::string_view pop);

class Enrolment {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  // `url`: https://host[/prefix], or http:// for loopback only.
  // Errors: refused, with what to write.
  static Result<std::unique_ptr<Enrolment>> make(std::string_view url, ports::HttpClient& client,
                                                 ports::Timers& timers, ports::Random& random);
  virtual ~Enrolment() = default;

  // The membership has no paths yet and `instance` as given. A token is for one box and one time.
  // Errors: refused (token unknown, used, expired; answer not as promised), gone (not reachable;
  // also when this machine's clock makes the certificate invalid: the text says so), busy.
  virtual void join(std::string token, std::string box_name, std::string instance,
                    Done<Membership> done) = 0;
  virtual void refresh(const Membership& membership, Done<NetworkNews> done) = 0;
  // The lanes in the order of `peers`.
  virtual void put_peers(const Membership& membership, std::string pop,
                         std::vector<PeerToPut> peers, Done<std::vector<Lane>> done) = 0;
  virtual void readd(const Membership& membership, std::string pop, ports::WgKey public_key,
                     Done<void> done) = 0;
  virtual void leave(const Membership& membership, Done<void> done) = 0;
};

// Answers to values, strictly. Errors: broken, with the member that is wrong.
Result<NetworkNews> read_network_news(const ports::JsonValue& json);
Result<std::vector<Lane>> read_lanes(const ports::JsonValue& json,
                                     const std::vector<PeerToPut>& asked);

}  // namespace sluice::tunnel
