// What is known of the network survives a restart as it was, and a damaged file is told in words.
#include "firmware/tunnel/membership.h"

#include "firmware/ports/json.h"
#include "tests/script/memory.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

std::string error_of(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), with);
  const auto read = parse_membership(text);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().kind == ErrorKind::refused);
  return read.error().text;
}

}  // namespace

TEST_CASE("membership: what was saved is what is loaded") {
  script::MemoryFiles files;
  Membership membership = member();
  CountedSecrets secrets;
  begin_rotation(membership.paths[1], secrets);
  membership.paths[2].lane.reset();
  REQUIRE(save_membership(files, "state", membership));
  const auto loaded = load_membership(files, "state");
  REQUIRE(loaded);
  CHECK(*loaded == membership);
  CHECK(files.files.count("state/tunnel/membership.json") == 1);
}

TEST_CASE("membership: no file means not joined; a broken one says what to do") {
  script::MemoryFiles files;
  CHECK(load_membership(files, "state").error().kind == ErrorKind::gone);
  files.files["state/tunnel/membership.json"] = "{\"credential\": \"topsecret\"";
  const auto loaded = load_membership(files, "state");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().kind == ErrorKind::refused);
  CHECK(loaded.error().text.find("join again") != std::string::npos);
  CHECK(loaded.error().text.find("topsecret") == std::string::npos);
}

TEST_CASE("membership: every fault names its place") {
  const std::string text = to_json_text(member());
  CHECK(error_of(text, "\"number\":1", "\"number\":0").find("wan0/south/udp4") !=
        std::string::npos);
  CHECK(error_of(text, "\"number\":1", "\"number\":16") ==
        "paths[1].number must be a whole number from 0 to 15");
  CHECK(error_of(text, "udp4", "udp5") == "paths[0].transport must be udp4, udp6 or tcp443");
  CHECK(error_of(text, "10.88.0.0/24", "0.0.0.0/0").find("everything") != std::string::npos);
  CHECK(error_of(text, "10.88.0.0/24", "fd00::/8") ==
        "prefixes must be IPv4 networks as 10.0.0.0/8");
  CHECK(error_of(text, "\"version\":1", "\"version\":2").find("newer version") !=
        std::string::npos);
  CHECK(error_of(text, "\"region\"", "\"colour\"") ==
        "pops[0].colour must be left out: it is unknown");
  CHECK(error_of(text, "8899aabbccddeeff", "8899AABBCCDDEEFF") ==
        "instance must be 16 small hexadecimal digits");
  CHECK(error_of(text, "\"south\",\"region\"", "\"north\",\"region\"").find("one name") !=
        std::string::npos);
}

TEST_CASE("membership: no fault quotes a secret") {
  const Membership membership = member();
  const std::string key = ports::wg_key_text(membership.paths[0].private_key.reveal());
  const std::string text = to_json_text(membership);
  const std::string error = error_of(text, key, key.substr(1));
  CHECK(error == "paths[0].private_key must be 32 bytes in base64, as wg(8) writes keys");
  CHECK(error.find(key.substr(1, 20)) == std::string::npos);
}

TEST_CASE("membership: paths keep their numbers, new ones take the smallest free") {
  Membership membership = member();
  PathWishes wishes{{"wan0", "wan1", "lte"}, {Transport::udp4, Transport::tcp443}};
  const PathsWanted more = paths_wanted(membership, wishes);
  CHECK(more.left_out == 0);
  REQUIRE(more.paths.size() == 12);
  for (int i = 0; i < 4; ++i) CHECK(more.paths[i] == membership.paths[i]);
  CHECK(more.paths[4].name == PathName{"lte", "north", Transport::udp4});
  CHECK_FALSE(more.paths[4].private_key.is_set());

  wishes.transports = {Transport::udp4};
  wishes.uplinks = {"wan1"};
  const PathsWanted fewer = paths_wanted(membership, wishes);
  REQUIRE(fewer.paths.size() == 2);
  CHECK(fewer.paths[0].number == 2);
  membership.paths = fewer.paths;
  CHECK(free_path_number(membership) == 0);
}

TEST_CASE("membership: more paths than numbers leaves out the least wanted, and says how many") {
  Membership membership = member();
  membership.paths.clear();
  const PathsWanted paths = paths_wanted(
      membership, {{"a", "b", "c", "d"}, {Transport::udp6, Transport::udp4, Transport::tcp443}});
  CHECK(paths.paths.size() == 16);
  CHECK(paths.left_out == 8);
  for (const MemberPath& path : paths.paths) CHECK(path.name.transport != Transport::udp6);
}
