// WireGuard interfaces: made, changed, read and removed, whatever carries them (the kernel's own
// implementation or a program beside the daemon). Source of the terms: WireGuard's whitepaper and
// the kernel's uapi header linux/wireguard.h.
// Thread: loop. Callbacks come in a later turn, never inside the call; destroying the WireGuard
// silences them. Calls about one interface take effect in the order in which they were made.
// Nothing here, and nothing that fails here, ever tells a private or preshared key.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::ports {

using WgKey = std::array<uint8_t, 32>;  // a public key

// A private or preshared key. Wiped when it ends; it has no text form and cannot be formatted.
class WgSecret {
 public:
  WgSecret() = default;  // all zero: none
  explicit WgSecret(const WgKey& bytes) : bytes_(bytes) {}
  WgSecret(const WgSecret&) = default;
  WgSecret& operator=(const WgSecret&) = default;
  ~WgSecret();
  const WgKey& reveal() const { return bytes_; }
  bool is_set() const { return bytes_ != WgKey{}; }
  bool operator==(const WgSecret&) const = default;

 private:
  WgKey bytes_{};
};

// The base64 form that wg(8) shows: 44 characters. Errors of parsing: nothing, for any other text.
std::string wg_key_text(const WgKey& key);
std::optional<WgKey> parse_wg_key(std::string_view text);

struct WgPeerChange {
  WgKey public_key{};
  bool remove = false;           // of one that is not there: no effect
  bool update_only = false;      // of one that is not there: no effect; else it would be made
  bool replace_allowed = false;  // `allowed` is all there shall be; else it is added
  std::optional<WgSecret> preshared;
  std::optional<IpEndpoint> endpoint;  // also when unchanged: forgets a stuck source address
  std::optional<Duration> keepalive;   // whole seconds; zero = off
  std::vector<IpPrefix> allowed;
};

// What is not named stays. Peers that are not named are not disturbed.
struct WgChange {
  std::string interface;
  std::optional<WgSecret> private_key;
  std::optional<uint16_t> listen_port;  // zero = a random one; also a way to take a new one
  std::optional<uint32_t> mark;         // of the outer packets; zero = none
  std::vector<WgPeerChange> peers;
};

struct WgPeerState {
  WgKey public_key{};
  bool has_preshared = false;
  std::optional<IpEndpoint> endpoint;
  Duration keepalive;
  std::optional<Date> last_handshake;
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  std::vector<IpPrefix> allowed;
};

struct WgState {
  std::string interface;
  WgKey public_key{};  // all zero: no private key set
  uint16_t listen_port = 0;
  uint32_t mark = 0;
  std::vector<WgPeerState> peers;
};

// What carries an interface went or came back without being asked to. Between the two the interface
// stays, with its addresses and routes, and nothing passes.
class WgEvents {
 public:
  virtual ~WgEvents() = default;
  virtual void on_data_plane_lost(const std::string& interface, const Error& why) = 0;
  // It runs again, empty: the owner applies the whole configuration anew.
  virtual void on_data_plane_back(const std::string& interface) = 0;
};

class WireGuard {
 public:
  using Done = std::function<void(Result<void>)>;
  using OnState = std::function<void(Result<WgState>)>;

  virtual ~WireGuard() = default;
  virtual std::string_view backend() const = 0;  // "kernel", "userspace"
  // The interface exists and is carried after this; one that is there from an earlier run is taken
  // over as it is, without a packet lost. It is down and has no address until `Links` says so.
  // Errors: unsupported (this machine cannot), refused (the name belongs to something else).
  virtual void open(const std::string& interface, Done done) = 0;
  // Errors: gone (not open), refused (a value is not accepted; the text says which), busy (no
  // answer in time: what carries it is started anew).
  virtual void change(WgChange change, Done done) = 0;
  virtual void read(const std::string& interface, OnState done) = 0;
  virtual void remove(const std::string& interface, Done done) = 0;
};

}  // namespace sluice::ports
