#include "firmware/sense/subnet.h"

#include <doctest/doctest.h>

namespace sluice::sense {
namespace {

using Hosts = std::vector<std::string>;

TEST_CASE("subnet: its hosts in order, without the addresses that mean all of it") {
  CHECK(*hosts_of("10.0.0.5/30") == Hosts{"10.0.0.5", "10.0.0.6"});
  CHECK(*hosts_of("10.0.0.4/31") == Hosts{"10.0.0.4", "10.0.0.5"});
  CHECK(*hosts_of("127.0.0.1") == Hosts{"127.0.0.1"});
  CHECK(*hosts_of("127.0.0.1/32") == Hosts{"127.0.0.1"});
  const Hosts large = *hosts_of("192.168.7.77/22");
  CHECK(large.size() == 1022);
  CHECK(large.front() == "192.168.4.1");
  CHECK(large.back() == "192.168.7.254");
  CHECK(hosts_of("255.255.255.255/30")->back() == "255.255.255.254");
}

TEST_CASE("subnet: what is no subnet, or too large a one, is refused with what to write") {
  for (const char* bad : {"", "10.0.0", "10.0.0.256/30", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1",
                          "fd00::/64", "10.0.0.01/30", "10.0.0.1/30/2", "gpu-1"}) {
    CAPTURE(bad);
    const auto hosts = hosts_of(bad);
    REQUIRE_FALSE(hosts.has_value());
    CHECK(hosts.error().text.find("192.168.7.0/28") != std::string::npos);
  }
  CHECK(hosts_of("10.0.0.0/8").error().text.find("/22 is the largest") != std::string::npos);
}

}  // namespace
}  // namespace sluice::sense
