#include "firmware/box/handover.h"

#include <doctest/doctest.h>

using namespace sluice::box;

namespace {

Handover sample() {
  return {3,
          4,
          {{"api", "127.0.0.1:0", 5},
           {"page", "127.0.0.1:0", 6},
           {"admin", "unix:/run/with a blank/admin.sock", 7}}};
}

}  // namespace

TEST_CASE("handover: what is written is read again") {
  const auto read = read_handover(write_handover(sample()));
  REQUIRE(read);
  CHECK(read->report == 3);
  CHECK(read->lock == 4);
  REQUIRE(read->sockets.size() == 3);
  CHECK(read->sockets[1].entrance == "page");
  CHECK(read->sockets[2].asked == "unix:/run/with a blank/admin.sock");
  CHECK(read->sockets[2].descriptor == 7);
}

TEST_CASE("handover: what no sluiced writes is refused, and nothing of it is used") {
  const std::string head = "sluice-handover 1\n";
  std::string many = head + "report 3\nlock 4\n";
  for (int i = 0; i < 17; ++i) many += "socket " + std::to_string(5 + i) + " api a:1\n";
  for (const std::string& text : {std::string(),
                                  std::string("sluice-handover 2\nreport 3\nlock 4\n"),
                                  head,
                                  head + "report 3\n",
                                  head + "lock 4\n",
                                  head + "report 3\nlock 3\n",
                                  head + "report 3\nreport 5\nlock 4\n",
                                  head + "report 3\nlock 4\nsocket 4 api a:1\n",
                                  head + "report 3\nlock 4\nsocket 5 api\n",
                                  head + "report 3\nlock 4\nsocket 5\n",
                                  head + "report 3\nlock 4\nsocket 5  a:1\n",
                                  head + "report 2\nlock 4\n",
                                  head + "report 3\nlock 1024\n",
                                  head + "report -3\nlock 4\n",
                                  head + "report x\nlock 4\n",
                                  head + "report 3 4\nlock 4\n",
                                  head + "report 3\nlock 4\npipe 5\n",
                                  head + "report 3\n\nlock 4\n",
                                  many,
                                  head + std::string(5000, 'x')}) {
    CAPTURE(text);
    const auto read = read_handover(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().text.find("SLUICE_HANDOVER") == 0);
  }
}

TEST_CASE("handover: a socket goes to its entrance, if the address is still the same") {
  Handover handover = sample();
  CHECK(take_socket(handover, "page", "127.0.0.1:0") == 6);
  CHECK_FALSE(take_socket(handover, "page", "127.0.0.1:0"));  // not that of api: port 0 is any
  CHECK_FALSE(take_socket(handover, "api", "127.0.0.1:8080"));
  CHECK(take_socket(handover, "api", "127.0.0.1:0") == 5);
  CHECK(handover.sockets.size() == 1);  // left over: the admin socket moved
}

TEST_CASE("handover: an address that another entrance had is taken from there") {
  Handover handover{3, 4, {{"api", "10.0.0.1:80", 5}, {"page", "10.0.0.1:81", 6}}};
  CHECK(take_socket(handover, "api", "10.0.0.1:81") == 6);
  CHECK(take_socket(handover, "page", "10.0.0.1:80") == 5);
}

TEST_CASE("handover: a socket of the service manager has a name and any address") {
  Handover handover{-1, -1, {{"api", "", 3}}};
  CHECK_FALSE(take_socket(handover, "page", "127.0.0.1:8081"));
  CHECK(take_socket(handover, "api", "0.0.0.0:8080") == 3);
}

TEST_CASE("handover: a report is ready, or says why not") {
  CHECK(read_report("ready"));
  const auto failed = read_report("failed: no such file");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().text == "no such file");
  CHECK_FALSE(read_report(""));
  CHECK_FALSE(read_report("ready "));
}
