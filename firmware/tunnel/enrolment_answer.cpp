// Answers of the operator to values. What is more than asked for is let be: operators may add.
#include "firmware/tunnel/enrolment.h"
#include "firmware/tunnel/json_place.h"
#include "firmware/tunnel/path_keys.h"

namespace sluice::tunnel {

namespace {

Error wrong(const std::string& fault) {
  return {ErrorKind::broken, "tunnel",
          "the operator's answer is not as it should be: " + fault +
              "; tell the operator, or check that the address is that of the enrolment"};
}

Pop read_pop(JsonPlace& place) {
  Pop pop;
  pop.name = place.word("name");
  pop.region = place.text("region", kNameTextMax, Needed::no);
  pop.hosts = place.texts("hosts", kHostsMax, kHostTextMax);
  pop.where_port = static_cast<uint16_t>(place.whole("where_port", 0, 65534, Needed::no));
  pop.probe_address = place.address4("probe_address", Needed::no).value_or(IpAddress());
  pop.probe_port = static_cast<uint16_t>(place.whole("probe_port", 0, 65535, Needed::no));
  return pop;
}

Lane read_lane(JsonPlace& place, const PeerToPut& asked) {
  Lane lane;
  if (place.text("path", 3 * kNameTextMax) != asked.path.text()) {
    place.fail("path", "the one that was asked for in this place");
  }
  lane.public_key = place.key("public_key").value_or(ports::WgKey());
  lane.port = static_cast<uint16_t>(place.whole("port", 1, 65535));
  lane.tcp_port = static_cast<uint16_t>(place.whole("tcp_port", 0, 65535, Needed::no));
  const auto preshared = place.key("preshared_key", Needed::no);
  if (preshared) lane.preshared = ports::WgSecret(*preshared);
  return lane;
}

}  // namespace

Result<NetworkNews> read_network_news(const ports::JsonValue& json) {
  JsonFault fault;
  JsonPlace place(json, "", fault);
  NetworkNews out;
  auto network = place.object("network");
  if (network) {
    out.network = network->word("name");
    out.address = network->address4("address").value_or(IpAddress());
    out.prefixes = network->prefixes4("prefixes", kPrefixesMax);
  }
  const auto key = place.key("probe_key");
  if (key) out.probe_key = ports::WgSecret(*key);
  for (JsonPlace& pop : place.objects("pops", kPopsMax)) out.pops.push_back(read_pop(pop));
  if (fault.any()) return wrong(fault.text);
  Membership whole;
  take_news(whole, out);
  const auto good = check_membership(whole);
  if (!good) return wrong(good.error().text);
  return out;
}

Result<std::vector<Lane>> read_lanes(const ports::JsonValue& json,
                                     const std::vector<PeerToPut>& asked) {
  JsonFault fault;
  JsonPlace place(json, "", fault);
  std::vector<JsonPlace> peers = place.objects("peers", kPathsMax);
  if (!fault.any() && peers.size() != asked.size()) {
    place.fail("peers", "as many as were asked for");
  }
  std::vector<Lane> out;
  for (size_t i = 0; i < peers.size() && !fault.any(); ++i) {
    out.push_back(read_lane(peers[i], asked[i]));
  }
  if (fault.any()) return wrong(fault.text);
  return out;
}

void take_news(Membership& membership, NetworkNews news) {
  membership.network = std::move(news.network);
  membership.address = news.address;
  membership.prefixes = std::move(news.prefixes);
  membership.probe_key = news.probe_key;
  membership.pops = std::move(news.pops);
  std::erase_if(membership.paths,
                [&](const MemberPath& path) { return membership.pop(path.name.pop) == nullptr; });
}

std::vector<PeerToPut> peers_of(const Membership& membership, std::string_view pop) {
  std::vector<PeerToPut> out;
  for (const MemberPath& path : membership.paths) {
    if (path.name.pop != pop || !path.private_key.is_set()) continue;
    out.push_back({path.name, public_key_of(path.next ? *path.next : path.private_key)});
  }
  return out;
}

}  // namespace sluice::tunnel
