// What the box knows of its compute network after it has joined, or after a pasted configuration
// was imported. Kept as one JSON file (mode 0600: it holds secrets) in the state folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/files.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/names.h"

namespace sluice::tunnel {

inline constexpr size_t kPopsMax = 16;
inline constexpr size_t kPrefixesMax = 64;
inline constexpr size_t kHostsMax = 8;       // of one PoP
inline constexpr size_t kNameTextMax = 64;   // of a network, PoP, region, uplink
inline constexpr size_t kHostTextMax = 253;  // RFC 1035
inline constexpr size_t kCredentialMax = 512;
inline constexpr Bytes kMembershipFileMax{256 * 1024};
inline constexpr std::string_view kMembershipFile = "tunnel/membership.json";

// An uplink's name in a path that takes whichever uplink is best: an imported configuration has
// one key pair, so it can be in one place only.
inline constexpr std::string_view kAnyUplink = "any";

struct Pop {
  std::string name;
  std::string region;
  std::vector<std::string> hosts;  // numeric or names, in the operator's order
  uint16_t where_port = 0;         // 0: it answers no `where`
  IpAddress probe_address;         // inside the tunnel; unspecified: none
  uint16_t probe_port = 0;
  bool operator==(const Pop&) const = default;
};

// The PoP's end of a path, as the operator told it.
struct Lane {
  ports::WgKey public_key{};
  uint16_t port = 0;      // UDP
  uint16_t tcp_port = 0;  // of the TCP/443 shim; 0: none
  ports::WgSecret preshared;
  bool operator==(const Lane&) const = default;
};

struct MemberPath {
  PathName name;
  int number = 0;  // 0..kPathsMax-1: interface_of(number). Stays as long as the path.
  ports::WgSecret private_key;
  Date key_made;
  std::optional<Lane> lane;             // nothing: the PoP does not know this key yet
  std::optional<ports::WgSecret> next;  // a key pair that the PoP is being told of (rotation)
  bool operator==(const MemberPath&) const = default;
};

struct Membership {
  std::string operator_url;  // of enrolment; empty: imported
  std::string box_id;        // 16 hexadecimal digits; empty: imported
  std::string credential;    // secret; empty: imported
  std::string instance;      // 16 hexadecimal digits, drawn when the box joined or was set up
  std::string network;       // its name
  IpAddress address;         // ours, inside; v4
  std::vector<IpPrefix> prefixes;
  ports::WgSecret probe_key;  // not set: the paths cannot be probed, see can_probe
  std::vector<Pop> pops;
  std::vector<MemberPath> paths;  // in the order of their numbers
  uint16_t mtu = 0;               // of an imported configuration; 0: not given
  std::string ca_file;            // authorities for operator_url besides the system's; may be empty

  bool operator==(const Membership&) const = default;
  // False: an imported configuration of a peer that answers no probes. What is known of such a path
  // is WireGuard's own handshakes and counters: seconds, not milliseconds.
  bool can_probe() const { return probe_key.is_set(); }
  bool imported() const { return credential.empty(); }
  const Pop* pop(std::string_view name) const;
  const MemberPath* path(const PathName& name) const;
  const MemberPath* path(int number) const;
  MemberPath* path(const PathName& name);
};

// The smallest number that no path has. Nothing: kPathsMax are there.
std::optional<int> free_path_number(const Membership& membership);

// The paths of all uplinks x PoPs x transports, those that are there unchanged (number, keys, lane)
// and those that are new without keys. At most kPathsMax: UDP v4 of every uplink and PoP first,
// then TCP, then UDP v6; `left_out` tells how many found no number. Paths that are not wanted any
// more are gone, unless the membership was imported: its paths stay as they are.
struct PathWishes {
  std::vector<std::string> uplinks;  // names, the administrator's order
  std::vector<Transport> transports;
};
struct PathsWanted {
  std::vector<MemberPath> paths;  // in the order of their numbers
  int left_out = 0;
};
PathsWanted paths_wanted(const Membership& membership, const PathWishes& wishes);

std::string to_json_text(const Membership& membership);  // holds secrets
// Errors: refused, with the member's place and what is wrong; never what a secret was.
Result<Membership> parse_membership(std::string_view text);

// Errors: gone (the box has not joined), refused (the file is not what it should be: its words),
// broken (it cannot be read or written).
Result<Membership> load_membership(ports::Files& files, const std::string& state_folder);
Result<void> save_membership(ports::Files& files, const std::string& state_folder,
                             const Membership& membership);

// Lengths, ranges, unique names and numbers, v4. Errors: refused.
Result<void> check_membership(const Membership& membership);

}  // namespace sluice::tunnel
