#include <fmt/format.h>

#include <algorithm>

#include "firmware/tunnel/path_keys.h"
#include "firmware/tunnel/wg_quick.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

Error refuse(std::string text) { return {ErrorKind::refused, "tunnel", std::move(text)}; }

std::optional<IpAddress> first_v4(const std::vector<IpPrefix>& addresses) {
  for (const IpPrefix& one : addresses) {
    if (one.address.family == Family::v4) return one.address;
  }
  return {};
}

// The v4 networks; what is left out is told.
std::vector<IpPrefix> networks(const std::vector<IpPrefix>& all, std::vector<Words>& ignored) {
  std::vector<IpPrefix> out;
  bool others = false;
  for (const IpPrefix& one : all) {
    others = others || one.address.family != Family::v4;
    if (one.address.family == Family::v4) out.push_back(one.network());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (others) {
    ignored.push_back({"IPv6 networks inside the tunnel are not used here and were left out.",
                       "此处不使用隧道内的 IPv6 网络，已忽略。"});
  }
  return out;
}

Result<void> check_config(const WgQuickConfig& config) {
  if (!config.private_key.is_set()) {
    return refuse("[Interface] has no PrivateKey; without it nobody at the other end knows us");
  }
  if (!first_v4(config.addresses)) return refuse("[Interface] has no IPv4 Address");
  if (config.peers.size() != 1) {
    return refuse(
        fmt::format("there are {} [Peer] sections; exactly one is needed here: that of the PoP",
                    config.peers.size()));
  }
  if (config.peers.front().host.empty()) {
    return refuse("[Peer] has no Endpoint; without it there is nobody to call");
  }
  if (config.peers.front().public_key == public_key_of(config.private_key)) {
    return refuse("[Peer] has our own key; take the other end's PublicKey");
  }
  return {};
}

std::string pop_name(const WgQuickPeer& peer) {
  return peer.host.size() <= kNameTextMax ? peer.host : peer.host.substr(0, kNameTextMax);
}

}  // namespace

Result<Imported> import_wg_quick(const WgQuickConfig& config, const ImportWishes& wishes) {
  const auto good = check_config(config);
  if (!good) return good.error();
  const WgQuickPeer& peer = config.peers.front();
  Imported out;
  out.ignored = config.ignored;
  Membership& membership = out.membership;
  membership.instance = wishes.instance;
  membership.network = wishes.network;
  membership.address = *first_v4(config.addresses);
  membership.prefixes =
      networks(wishes.prefixes.empty() ? peer.allowed : wishes.prefixes, out.ignored);
  membership.mtu = config.mtu;
  if (membership.prefixes.size() > kPrefixesMax) {
    return refuse(
        fmt::format("there are {} networks; {} at most can be used: join neighbours to "
                    "larger ones",
                    membership.prefixes.size(), kPrefixesMax));
  }
  Pop pop;
  pop.name = pop_name(peer);
  pop.hosts = {peer.host};
  membership.pops.push_back(pop);
  const auto numeric = IpAddress::parse(peer.host);
  MemberPath path;
  const bool v6 = numeric && numeric->family == Family::v6;
  path.name = {std::string(kAnyUplink), pop.name, v6 ? Transport::udp6 : Transport::udp4};
  path.private_key = config.private_key;
  path.key_made = wishes.now;
  path.lane = Lane{peer.public_key, peer.port, 0, peer.preshared};
  membership.paths.push_back(path);
  const auto valid = check_membership(membership);
  if (!valid) return valid.error();
  return out;
}

std::string export_wg_quick(const Membership& membership, const MemberPath& path,
                            const std::optional<IpEndpoint>& endpoint) {
  std::string out = fmt::format("# {}\n[Interface]\n", path.name.text());
  out += "# PrivateKey is not told; it stays on the box\n";
  if (path.private_key.is_set()) {
    out +=
        fmt::format("# its public key: {}\n", ports::wg_key_text(public_key_of(path.private_key)));
  }
  out += fmt::format("Address = {}/32\n", membership.address.text());
  if (membership.mtu != 0) out += fmt::format("MTU = {}\n", membership.mtu);
  if (!path.lane) return out + "\n# The PoP does not know this path yet.\n";
  out += fmt::format("\n[Peer]\nPublicKey = {}\n", ports::wg_key_text(path.lane->public_key));
  if (path.lane->preshared.is_set()) out += "# PresharedKey is not told; it stays on the box\n";
  std::string allowed;
  for (const IpPrefix& prefix : membership.prefixes) {
    allowed += (allowed.empty() ? "" : ", ") + prefix.text();
  }
  out += fmt::format("AllowedIPs = {}\n", allowed);
  if (endpoint) out += fmt::format("Endpoint = {}\n", endpoint->text());
  return out + "PersistentKeepalive = 25\n";
}

}  // namespace sluice::tunnel
