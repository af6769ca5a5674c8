// Configurations in the form of wg(8) and wg-quick(8): what people paste when their network has no
// enrolment. Pure. Errors name the line and never quote what stood there: it may be a secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

inline constexpr size_t kWgQuickMax = 64 * 1024;
inline constexpr size_t kWgQuickLinesMax = 2000;
inline constexpr size_t kWgQuickPeersMax = 64;
inline constexpr size_t kWgQuickPrefixesMax = 1024;  // of one list

struct WgQuickPeer {
  int line = 0;
  ports::WgKey public_key{};
  ports::WgSecret preshared;
  std::vector<IpPrefix> allowed;
  std::string host;  // of the endpoint; empty: none
  uint16_t port = 0;
  Duration keepalive;  // zero: off
};

struct WgQuickConfig {
  ports::WgSecret private_key;
  std::vector<IpPrefix> addresses;
  uint16_t listen_port = 0;  // 0: any
  uint16_t mtu = 0;          // 0: not given
  std::vector<WgQuickPeer> peers;
  std::vector<Words> ignored;  // what stands there and is not done here, a sentence each
};

// Keys without regard to case, comments from '#', lists by comma or by repeated lines. Refused:
// what runs commands (PreUp, PostUp, PreDown, PostDown) since dropping it would change what the
// author meant. Ignored with a word: DNS, Table, SaveConfig, ListenPort, FwMark.
Result<WgQuickConfig> parse_wg_quick(std::string_view text);

struct ImportWishes {
  std::string network = "imported";
  std::vector<IpPrefix> prefixes;  // instead of AllowedIPs; needed when those are 0.0.0.0/0
  std::string instance;            // make_id()
  Date now;
};

struct Imported {
  Membership membership;
  std::vector<Words> ignored;
};

// One PoP named after its endpoint, one path kAnyUplink/POP/udp4 (udp6 for a numeric v6 endpoint)
// with the pasted key pair, no credential, no probe key.
// Errors: refused: no private key, no v4 address, not exactly one peer, no endpoint, a prefix that
// takes everything, and what check_membership refuses.
Result<Imported> import_wg_quick(const WgQuickConfig& config, const ImportWishes& wishes);

// A path for wg(8) or wg-quick(8) elsewhere, for comparison and support: everything but the private
// and preshared keys, whose lines say so.
std::string export_wg_quick(const Membership& membership, const MemberPath& path,
                            const std::optional<IpEndpoint>& endpoint);

}  // namespace sluice::tunnel
