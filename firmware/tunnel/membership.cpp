#include "firmware/tunnel/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace sluice::tunnel {

namespace {

Error refuse(std::string text) { return {ErrorKind::refused, "tunnel", std::move(text)}; }

bool has_path(const Membership& membership, int number) {
  return membership.path(number) != nullptr;
}

Result<void> check_pops(const Membership& membership) {
  std::set<std::string> names;
  for (const Pop& pop : membership.pops) {
    if (!names.insert(pop.name).second) return refuse("two PoPs have one name: " + pop.name);
    if (pop.hosts.empty()) return refuse("the PoP " + pop.name + " has no host");
  }
  return {};
}

Result<void> check_paths(const Membership& membership) {
  std::set<int> numbers;
  std::set<PathName> names;
  for (const MemberPath& path : membership.paths) {
    const std::string name = path.name.text();
    if (path.number < 0 || path.number >= kPathsMax) return refuse(name + " has a wrong number");
    if (!numbers.insert(path.number).second) return refuse("two paths have the number of " + name);
    if (!names.insert(path.name).second) return refuse(name + " is there twice");
    if (membership.pop(path.name.pop) == nullptr) return refuse(name + " leads to no known PoP");
    if (!path.private_key.is_set()) return refuse(name + " has no key");
  }
  return {};
}

// In which order paths get numbers when there are not enough.
constexpr std::array<Transport, 3> kTransportOrder = {Transport::udp4, Transport::tcp443,
                                                      Transport::udp6};

}  // namespace

const Pop* Membership::pop(std::string_view name) const {
  for (const Pop& one : pops) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

const MemberPath* Membership::path(const PathName& name) const {
  for (const MemberPath& one : paths) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

const MemberPath* Membership::path(int number) const {
  for (const MemberPath& one : paths) {
    if (one.number == number) return &one;
  }
  return nullptr;
}

MemberPath* Membership::path(const PathName& name) {
  for (MemberPath& one : paths) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

std::optional<int> free_path_number(const Membership& membership) {
  for (int number = 0; number < kPathsMax; ++number) {
    if (!has_path(membership, number)) return number;
  }
  return {};
}

PathsWanted paths_wanted(const Membership& membership, const PathWishes& wishes) {
  if (membership.imported()) return {membership.paths, 0};
  Membership out;  // only its paths count
  std::vector<PathName> fresh;
  for (const Transport transport : kTransportOrder) {
    const auto& asked = wishes.transports;
    if (std::find(asked.begin(), asked.end(), transport) == asked.end()) continue;
    for (const std::string& uplink : wishes.uplinks) {
      for (const Pop& pop : membership.pops) {
        const PathName name{uplink, pop.name, transport};
        const MemberPath* there = membership.path(name);
        if (there != nullptr) out.paths.push_back(*there);
        if (there == nullptr) fresh.push_back(name);
      }
    }
  }
  int left_out = 0;
  for (const PathName& name : fresh) {
    const auto number = free_path_number(out);
    left_out += number ? 0 : 1;
    if (number) out.paths.push_back({name, *number, {}, {}, {}, {}});
  }
  std::sort(out.paths.begin(), out.paths.end(),
            [](const MemberPath& a, const MemberPath& b) { return a.number < b.number; });
  return {std::move(out.paths), left_out};
}

Result<void> check_membership(const Membership& membership) {
  const IpAddress& address = membership.address;
  if (address.family != IpAddress::Family::v4 || address.is_unspecified()) {
    return refuse("the inner address must be an IPv4 address");
  }
  if (membership.prefixes.empty()) return refuse("the network has no prefix");
  for (const IpPrefix& prefix : membership.prefixes) {
    if (prefix.address.family != IpAddress::Family::v4) {
      return refuse(prefix.text() + " is not IPv4; the network inside the tunnel is IPv4 only");
    }
    if (prefix.length == 0) {
      return refuse("0.0.0.0/0 would take everything this machine sends; name the networks");
    }
    const IpPrefix loopback{{IpAddress::Family::v4, {127}}, 8};
    const IpPrefix multicast{{IpAddress::Family::v4, {224}}, 3};
    if (prefix.overlaps(loopback) || prefix.overlaps(multicast)) {
      return refuse(prefix.text() + " is not a network that packets can be routed to");
    }
  }
  if (membership.pops.empty()) return refuse("the network has no PoP");
  const auto pops = check_pops(membership);
  if (!pops) return pops.error();
  return check_paths(membership);
}

Result<Membership> load_membership(ports::Files& files, const std::string& state_folder) {
  const std::string path = fmt::format("{}/{}", state_folder, kMembershipFile);
  const auto text = files.read(path, kMembershipFileMax);
  if (!text) {
    if (text.error().kind != ErrorKind::gone) return text.error();
    return Error{ErrorKind::gone, "tunnel", "this box has not joined a network"};
  }
  auto membership = parse_membership(*text);
  if (membership) return membership;
  return refuse(fmt::format("{}: {}; put back a copy of it, or remove it and join again", path,
                            membership.error().text));
}

Result<void> save_membership(ports::Files& files, const std::string& state_folder,
                             const Membership& membership) {
  const auto folder = files.make_folder(state_folder + "/tunnel");
  if (!folder) return folder;
  return files.replace(fmt::format("{}/{}", state_folder, kMembershipFile),
                       to_json_text(membership));
}

}  // namespace sluice::tunnel
