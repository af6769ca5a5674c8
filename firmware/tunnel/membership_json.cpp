// The membership's file. Members that are not known are refused: an older program would drop them
// when it writes the file anew.
#include "firmware/ports/json.h"
#include "firmware/tunnel/json_place.h"
#include "firmware/tunnel/membership.h"

namespace sluice::tunnel {

namespace {

using ports::JsonValue;

constexpr int64_t kVersion = 1;
constexpr int64_t kDateMax = 4'102'444'800'000'000;  // the year 2100
constexpr size_t kUrlMax = 2048;
constexpr size_t kTransportMax = 16;

JsonValue secret_json(const ports::WgSecret& secret) {
  return secret.is_set() ? JsonValue(ports::wg_key_text(secret.reveal())) : JsonValue();
}

JsonValue pop_json(const Pop& pop) {
  JsonValue hosts = JsonValue::array();
  for (const std::string& host : pop.hosts) hosts.push(host);
  JsonValue out = JsonValue::object({{"name", pop.name},
                                     {"region", pop.region},
                                     {"hosts", hosts},
                                     {"where_port", static_cast<int64_t>(pop.where_port)}});
  if (!pop.probe_address.is_unspecified()) {
    out.add("probe_address", pop.probe_address.text());
    out.add("probe_port", static_cast<int64_t>(pop.probe_port));
  }
  return out;
}

JsonValue path_json(const MemberPath& path) {
  JsonValue out = JsonValue::object({{"number", path.number},
                                     {"uplink", path.name.uplink},
                                     {"pop", path.name.pop},
                                     {"transport", to_text(path.name.transport)},
                                     {"private_key", secret_json(path.private_key)},
                                     {"key_made_us", path.key_made.as_us()}});
  if (path.lane) {
    JsonValue lane = JsonValue::object({{"public_key", ports::wg_key_text(path.lane->public_key)},
                                        {"port", static_cast<int64_t>(path.lane->port)},
                                        {"tcp_port", static_cast<int64_t>(path.lane->tcp_port)}});
    if (path.lane->preshared.is_set()) lane.add("preshared_key", secret_json(path.lane->preshared));
    out.add("lane", lane);
  }
  if (path.next) out.add("next_private_key", secret_json(*path.next));
  return out;
}

Pop read_pop(JsonPlace& place) {
  Pop pop;
  pop.name = place.word("name");
  pop.region = place.text("region", kNameTextMax, Needed::no);
  pop.hosts = place.texts("hosts", kHostsMax, kHostTextMax);
  pop.where_port = static_cast<uint16_t>(place.whole("where_port", 0, 65534, Needed::no));
  pop.probe_address = place.address4("probe_address", Needed::no).value_or(IpAddress());
  pop.probe_port = static_cast<uint16_t>(place.whole("probe_port", 0, 65535, Needed::no));
  place.no_others();
  return pop;
}

ports::WgSecret read_secret(JsonPlace& place, std::string_view name, Needed needed) {
  const auto key = place.key(name, needed);
  return key ? ports::WgSecret(*key) : ports::WgSecret();
}

Transport read_transport(JsonPlace& place) {
  const std::string text = place.text("transport", kTransportMax);
  for (const Transport one : {Transport::udp4, Transport::udp6, Transport::tcp443}) {
    if (text == to_text(one)) return one;
  }
  place.fail("transport", "udp4, udp6 or tcp443");
  return Transport::udp4;
}

MemberPath read_path(JsonPlace& place) {
  MemberPath path;
  path.number = static_cast<int>(place.whole("number", 0, kPathsMax - 1));
  path.name.uplink = place.word("uplink");
  path.name.pop = place.word("pop");
  path.name.transport = read_transport(place);
  path.private_key = read_secret(place, "private_key", Needed::yes);
  path.key_made = Date::from_us(place.whole("key_made_us", 0, kDateMax));
  auto lane = place.object("lane", Needed::no);
  if (lane) {
    path.lane.emplace();
    path.lane->public_key = lane->key("public_key").value_or(ports::WgKey());
    path.lane->port = static_cast<uint16_t>(lane->whole("port", 1, 65535));
    path.lane->tcp_port = static_cast<uint16_t>(lane->whole("tcp_port", 0, 65535, Needed::no));
    path.lane->preshared = read_secret(*lane, "preshared_key", Needed::no);
    lane->no_others();
  }
  const auto next = place.key("next_private_key", Needed::no);
  if (next) path.next = ports::WgSecret(*next);
  place.no_others();
  return path;
}

void read_identity(JsonPlace& place, Membership& out) {
  out.operator_url = place.text("operator_url", kUrlMax, Needed::no);
  out.ca_file = place.text("ca_file", kUrlMax, Needed::no);
  out.box_id = place.hex16("box_id", Needed::no);
  out.credential = place.text("credential", kCredentialMax, Needed::no);
  out.instance = place.hex16("instance");
  out.network = place.word("network");
  out.address = place.address4("address").value_or(IpAddress());
  out.prefixes = place.prefixes4("prefixes", kPrefixesMax);
  out.probe_key = read_secret(place, "probe_key", Needed::no);
  out.mtu = static_cast<uint16_t>(place.whole("mtu", 0, 65535, Needed::no));
  const bool enrolled = !out.credential.empty();
  if (enrolled == out.box_id.empty()) place.fail("box_id", "there exactly with a credential");
}

}  // namespace

std::string to_json_text(const Membership& membership) {
  JsonValue prefixes = JsonValue::array();
  for (const IpPrefix& prefix : membership.prefixes) prefixes.push(prefix.text());
  JsonValue pops = JsonValue::array();
  for (const Pop& pop : membership.pops) pops.push(pop_json(pop));
  JsonValue paths = JsonValue::array();
  for (const MemberPath& path : membership.paths) paths.push(path_json(path));
  JsonValue out = JsonValue::object({{"version", kVersion}});
  if (!membership.imported()) {
    out.add("operator_url", membership.operator_url);
    if (!membership.ca_file.empty()) out.add("ca_file", membership.ca_file);
    out.add("box_id", membership.box_id);
    out.add("credential", membership.credential);
  }
  out.add("instance", membership.instance);
  out.add("network", membership.network);
  out.add("address", membership.address.text());
  out.add("prefixes", prefixes);
  out.add("probe_key", secret_json(membership.probe_key));
  out.add("mtu", static_cast<int64_t>(membership.mtu));
  out.add("pops", pops);
  out.add("paths", paths);
  return ports::to_json(out) + "\n";
}

Result<Membership> parse_membership(std::string_view text) {
  const auto json = ports::parse_json(text);
  // The parser's words may quote what stood there.
  if (!json) return Error{ErrorKind::refused, "tunnel", "it is not valid JSON"};
  JsonFault fault;
  JsonPlace place(*json, "", fault);
  if (!fault.any() && json->integer("version", 0) > kVersion) {
    return Error{ErrorKind::refused, "tunnel",
                 "it was written by a newer version of this program, which must read it"};
  }
  place.whole("version", kVersion, kVersion);
  Membership out;
  read_identity(place, out);
  for (JsonPlace& pop : place.objects("pops", kPopsMax)) out.pops.push_back(read_pop(pop));
  for (JsonPlace& path : place.objects("paths", kPathsMax)) out.paths.push_back(read_path(path));
  place.no_others();
  if (fault.any()) return Error{ErrorKind::refused, "tunnel", fault.text};
  const auto good = check_membership(out);
  if (!good) return good.error();
  return out;
}

}  // namespace sluice::tunnel
