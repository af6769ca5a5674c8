#include "firmware/base/ip.h"

#include <doctest/doctest.h>

using namespace sluice;

TEST_CASE("ip: texts of addresses go in and out unchanged") {
  for (const char* text :
       {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:0:0:1",
        "2001:db8:0:1:1:1:1:1", "1:2:3:4:5:6:7:8", "2001:db8:1::", "64:ff9b::c000:201"}) {
    const auto address = IpAddress::parse(text);
    REQUIRE_MESSAGE(address, text);
    CHECK(address->text() == text);
  }
  CHECK(IpAddress::parse("64:ff9b::192.0.2.1")->text() == "64:ff9b::c000:201");
  CHECK(IpAddress::parse("2001:DB8:0:0:0:0:0:1")->text() == "2001:db8::1");
}

TEST_CASE("ip: what is not an address is refused") {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           "-1.2.3.4",
                           "a.b.c.d",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "12345::",
                           "fe80::1%eth0",
                           "1:2:3:4:5:6:7:8::",
                           "::1.2.3",
                           "1:",
                           ":1",
                           "g::",
                           "[::1]"}) {
    CHECK_MESSAGE(!IpAddress::parse(text), text);
  }
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "::/129"}) {
    CHECK_MESSAGE(!IpPrefix::parse(text), text);
  }
  for (const char* text : {"1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "::1:80", "[1.2.3.4]:80",
                           "[::1]", "name:80", "1.2.3.4:-1"}) {
    CHECK_MESSAGE(!IpEndpoint::parse(text), text);
  }
}

TEST_CASE("ip: nets contain and overlap by their leading bits") {
  const IpPrefix ten = *IpPrefix::parse("10.88.1.7/20");
  CHECK(ten.network().text() == "10.88.0.0/20");
  CHECK(ten.contains(*IpAddress::parse("10.88.15.255")));
  CHECK_FALSE(ten.contains(*IpAddress::parse("10.88.16.0")));
  CHECK(ten.overlaps(*IpPrefix::parse("10.0.0.0/8")));
  CHECK(ten.overlaps(*IpPrefix::parse("10.88.3.0/24")));
  CHECK_FALSE(ten.overlaps(*IpPrefix::parse("10.89.0.0/16")));
  CHECK_FALSE(ten.overlaps(*IpPrefix::parse("::/0")));
  CHECK(IpPrefix::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:7fff::1")));
  CHECK_FALSE(IpPrefix::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:8000::1")));
  CHECK(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
}

TEST_CASE("ip: kinds of addresses") {
  CHECK(IpAddress::parse("172.31.0.1")->is_private());
  CHECK_FALSE(IpAddress::parse("172.32.0.1")->is_private());
  CHECK(IpAddress::parse("fd00::1")->is_private());
  CHECK(IpAddress::parse("100.127.0.1")->is_shared());
  CHECK(IpAddress::parse("127.1.2.3")->is_loopback());
  CHECK(IpAddress::parse("169.254.1.1")->is_link_local());
  CHECK(IpAddress::parse("fe80::1")->is_link_local());
  CHECK(IpAddress::any(IpAddress::Family::v6).is_unspecified());
}

TEST_CASE("ip: endpoints carry their port, v6 in brackets") {
  CHECK(IpEndpoint::parse("192.0.2.1:51820")->text() == "192.0.2.1:51820");
  CHECK(IpEndpoint::parse("[2001:db8::1]:443")->text() == "[2001:db8::1]:443");
}
