#include "firmware/proxy/host_names.h"

#include <doctest/doctest.h>

namespace sluice::testing {

using proxy::is_called;

TEST_CASE("host names: addresses and names that nobody can register are always the box's") {
  for (const char* host :
       {"192.168.1.5", "192.168.1.5:8080", "[fe80::1]", "[::1]:8080", "localhost", "localhost:8080",
        "LOCALHOST", "box", "box:8080", "box.", "box.local", "Box.Local:80", "a.b.local.",
        "box.lan", "box.home.arpa", "gpu.box.internal", "app.localhost"}) {
    CAPTURE(host);
    CHECK(is_called(host, {}));
  }
}

TEST_CASE("host names: a name of the public DNS is the box's only if somebody said so") {
  for (const char* host :
       {"example.com", "box.example.com", "192.168.1.5.example.com", "localhost.example.com",
        "local.example.com", "box.local.example.com", "xlocal.com", "box.notlocal", ".local",
        "1.2.3.4x.com", "box.example.com:8080"}) {
    CAPTURE(host);
    CHECK_FALSE(is_called(host, {}));
  }
  const proxy::HostNames names{{"box.example.com", "*.example.org"}, "own.example.net"};
  CHECK(is_called("BOX.example.com:8080", names));
  CHECK(is_called("box.example.com.", names));
  CHECK(is_called("a.example.org", names));
  CHECK(is_called("own.example.net", names));
  CHECK_FALSE(is_called("example.org", names));
  CHECK_FALSE(is_called("a.box.example.com", names));
  CHECK_FALSE(is_called("badexample.org", names));
  CHECK(is_called("anything.example", {{"*"}, ""}));
}

}  // namespace sluice::testing
