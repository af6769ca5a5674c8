// Pasted configurations: what wg-quick takes is taken, what is not done is said, no secret is
// quoted.
#include "firmware/tunnel/wg_quick.h"

#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

const std::string kPrivate = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
const std::string kPublic = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";

std::string config(const std::string& extra = "", const std::string& peer_extra = "") {
  return "# made by hand\r\n[interface]\r\nprivatekey = " + kPrivate +
         "  # ours\nAddress = 10.66.0.5/24, fd00::5/64\naddress=10.67.0.5/32\n" + extra +
         "\n[PEER]\nPublicKey=" + kPublic + "\nAllowedIPs = 10.66.0.0/24,10.70.0.0/16\n" +
         "AllowedIPs=fd00::/64\nEndpoint = vpn.example:51820\nPersistentKeepalive = 25\n" +
         peer_extra;
}

std::string error_of(const std::string& text) {
  const auto read = parse_wg_quick(text);
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == ErrorKind::refused);
  CHECK(read.error().text.find(kPrivate.substr(0, 12)) == std::string::npos);
  return read.error().text;
}

}  // namespace

TEST_CASE("wg-quick: a usual configuration is read whole") {
  const auto read = parse_wg_quick(config("MTU = 1380\nListenPort = 41000\nDNS = 1.1.1.1\n"));
  REQUIRE(read);
  CHECK(ports::wg_key_text(read->private_key.reveal()) == kPrivate);
  REQUIRE(read->addresses.size() == 3);
  CHECK(read->addresses[2] == net("10.67.0.5/32"));
  CHECK(read->mtu == 1380);
  REQUIRE(read->peers.size() == 1);
  CHECK(read->peers[0].host == "vpn.example");
  CHECK(read->peers[0].port == 51820);
  CHECK(read->peers[0].allowed.size() == 3);
  CHECK(read->peers[0].keepalive == Duration::seconds(25));
  REQUIRE(read->ignored.size() == 2);
  CHECK(read->ignored[1].en.find("DNS") != std::string::npos);
}

TEST_CASE("wg-quick: numeric endpoints of both families") {
  const auto endpoint = [](const std::string& text) {
    return parse_wg_quick("[Peer]\nPublicKey=" + kPublic + "\nEndpoint=" + text + "\n");
  };
  CHECK(endpoint("192.0.2.1:51820")->peers[0].host == "192.0.2.1");
  CHECK(endpoint("[2001:db8::1]:51820")->peers[0].host == "2001:db8::1");
  for (const char* bad : {"192.0.2.1", "2001:db8::1:51820", "[192.0.2.1]:1", "x:0", "x:65536",
                          ":51820", "a b:51820", "[::1:51820", "host:port"}) {
    CAPTURE(bad);
    CHECK_FALSE(endpoint(bad));
  }
}

TEST_CASE("wg-quick: errors name the line and never a secret") {
  CHECK(error_of(config("PostUp = iptables -A FORWARD\n")).find("line 6: commands") == 0);
  CHECK(error_of(config("Colour = red\n")).find("line 6: this key") == 0);
  CHECK(error_of(config("PrivateKey = " + kPrivate + "\n")).find("line 6: this key stands twice") ==
        0);
  CHECK(error_of("[Interface]\nPrivateKey = " + kPrivate + "x\n") ==
        "line 2: PrivateKey must be 44 characters of base64, as wg genkey makes");
  CHECK(error_of(kPrivate + "\n").find("line 1:") == 0);
  CHECK(error_of("PrivateKey=" + kPrivate + "\n").find("line 1: it stands before") == 0);
  CHECK(error_of("[Interface]\nMTU=70000\n").find("line 2: MTU") == 0);
  CHECK(error_of("[Interface]\nAddress = 10.0.0.1/33\n").find("line 2: Address") == 0);
  CHECK(error_of("[Peer]\n\n[Peer]\nPublicKey=" + kPublic + "\n") ==
        "line 1: this [Peer] has no PublicKey");
  CHECK(error_of(config("", "Endpoint = other:1\n")).find("stands twice") != std::string::npos);
  CHECK_FALSE(parse_wg_quick(std::string(kWgQuickMax + 1, '\n')));
  CHECK_FALSE(parse_wg_quick(std::string(kWgQuickLinesMax + 1, '\n')));
}

TEST_CASE("wg-quick: an import is a membership of one PoP that cannot be probed") {
  ImportWishes wishes;
  wishes.instance = "8899aabbccddeeff";
  wishes.now = Date::from_us(1'790'000'000'000'000);
  const auto imported = import_wg_quick(parse_wg_quick(config("MTU=1380\n")).value(), wishes);
  REQUIRE(imported);
  const Membership& membership = imported->membership;
  CHECK(membership.imported());
  CHECK_FALSE(membership.can_probe());
  CHECK(membership.address == ip("10.66.0.5"));
  CHECK(membership.prefixes == std::vector{net("10.66.0.0/24"), net("10.70.0.0/16")});
  REQUIRE(membership.paths.size() == 1);
  CHECK(membership.paths[0].name.text() == "any/vpn.example/udp4");
  CHECK(membership.paths[0].lane->port == 51820);
  REQUIRE(imported->ignored.size() == 1);
  CHECK(imported->ignored[0].en.find("IPv6") != std::string::npos);
  CHECK(parse_membership(to_json_text(membership)).value() == membership);
  CHECK(paths_wanted(membership, {{"wan0"}, {Transport::tcp443}}).paths == membership.paths);
}

TEST_CASE("wg-quick: what cannot be a network of its own is refused with what to do") {
  ImportWishes wishes;
  wishes.instance = "8899aabbccddeeff";
  const auto error = [&](const std::string& text) {
    const auto imported = import_wg_quick(parse_wg_quick(text).value(), wishes);
    REQUIRE_FALSE(imported);
    return imported.error().text;
  };
  CHECK(error(config("", "AllowedIPs = 0.0.0.0/0\n")).find("everything") != std::string::npos);
  CHECK(error(config("", "[Peer]\nPublicKey=" + kPrivate + "\n")).find("2 [Peer]") !=
        std::string::npos);
  CHECK(error("[Interface]\nAddress=10.0.0.1/32\n").find("no PrivateKey") != std::string::npos);
  CHECK(error("[Interface]\nPrivateKey=" + kPrivate + "\n").find("IPv4 Address") !=
        std::string::npos);
  wishes.prefixes = {net("10.66.0.0/24")};
  CHECK(import_wg_quick(parse_wg_quick(config("", "AllowedIPs = 0.0.0.0/0\n")).value(), wishes));
}

TEST_CASE("wg-quick: an export has no secret and can be read again") {
  const Membership membership = member();
  const MemberPath& path = membership.paths[0];
  const std::string text =
      export_wg_quick(membership, path, IpEndpoint{ip("192.0.2.1"), path.lane->port});
  for (const auto* secret : {&path.private_key, &path.lane->preshared}) {
    CHECK(text.find(ports::wg_key_text(secret->reveal())) == std::string::npos);
  }
  const auto read = parse_wg_quick(text);
  REQUIRE(read);
  CHECK(read->peers.at(0).public_key == path.lane->public_key);
  CHECK(read->peers.at(0).allowed == membership.prefixes);
  CHECK(read->peers.at(0).host == "192.0.2.1");
}
