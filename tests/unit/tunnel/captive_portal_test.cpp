#include "firmware/tunnel/captive_portal.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/script/scripted_client.h"
#include "tests/script/sim_time.h"

using namespace sluice;
using namespace sluice::tunnel;
using What = PortalFinding::What;

namespace {

struct Checked : PortalSink {
  void on_portal_checked(const PortalFinding& one) override {
    finding = one;
    ++times;
    check.reset();  // from inside the callback
  }

  script::SimClock clock;
  script::SimTimers timers{clock};
  script::ScriptedClient http;
  std::unique_ptr<PortalCheck> check = std::make_unique<PortalCheck>(http, timers, *this);
  std::optional<PortalFinding> finding;
  int times = 0;

  script::NodeCall& ask(const std::string& endpoint = "https://join.example") {
    check->start(*portal_origin("", endpoint));
    timers.settle();
    return http.last();
  }
};

ports::HttpOrigin asked() { return *portal_origin("", "https://join.example"); }

ports::HttpResponseHead head(int status, std::string_view name = "", std::string_view value = "") {
  ports::HttpResponseHead made;
  made.status = status;
  if (!name.empty()) made.fields.add(name, value);
  return made;
}

}  // namespace

TEST_CASE("captive portal: only 204 without a body is clear") {
  CHECK(portal_finding(asked(), head(204), "").what == What::clear);
  CHECK(portal_finding(asked(), head(200), "").what == What::odd);
  CHECK(portal_finding(asked(), head(404), "no").what == What::odd);
  CHECK(portal_finding(asked(), head(204), "x").what == What::odd);
}

TEST_CASE("captive portal: a redirect elsewhere is one, and its address is told") {
  const PortalFinding found =
      portal_finding(asked(), head(302, "Location", "http://portal.hotel.example/login?c=1"), "");
  CHECK(found.what == What::portal);
  CHECK(found.url == "http://portal.hotel.example/login?c=1");
}

TEST_CASE("captive portal: a redirect to https at the operator's own name is none") {
  const PortalFinding found =
      portal_finding(asked(), head(301, "Location", "https://JOIN.example/v1/clear?x#y"), "");
  CHECK(found.what == What::odd);
  CHECK(found.text.find("https://JOIN.example/v1/clear") != std::string::npos);
  CHECK(portal_finding(asked(), head(302), "").what == What::odd);
}

TEST_CASE("captive portal: a page and status 511 are one, with the address of a refresh") {
  CHECK(portal_finding(asked(), head(200, "content-type", "text/html; charset=x"), "").what ==
        What::portal);
  const PortalFinding page = portal_finding(
      asked(), head(200),
      "<HTML><meta HTTP-EQUIV=\"Refresh\" content=\"0; URL='http://10.0.0.1/Login'\"></html>");
  CHECK(page.what == What::portal);
  CHECK(page.url == "http://10.0.0.1/Login");
  const PortalFinding required = portal_finding(
      asked(), head(511), "<meta http-equiv='refresh' content='0; url=https://login.example/'>");
  CHECK(required.what == What::portal);
  CHECK(required.url == "https://login.example/");
}

TEST_CASE("captive portal: what a stranger writes cannot move the terminal, nor fill it") {
  const PortalFinding found = portal_finding(
      asked(), head(302, "Location", "http://x/\x1b[2J\n" + std::string(5000, 'a')), "");
  CHECK(found.url.starts_with("http://x/?[2J?aaa"));
  CHECK(found.url.size() == kPortalUrlMax);
}

TEST_CASE("captive portal: it is asked in plain HTTP at port 80 of the operator's host") {
  const auto origin = portal_origin("", "https://join.example:8443/net");
  REQUIRE(origin);
  CHECK(origin->text() == "http://join.example/net/v1/clear");
  CHECK(origin->address.port == 80);
  CHECK(portal_origin("", "http://192.0.2.1:8080")->text() == "http://192.0.2.1:8080/v1/clear");
  CHECK(portal_origin("", "https://[2001:db8::1]")->text() == "http://[2001:db8::1]/v1/clear");
  CHECK(portal_origin("http://check.example/generate_204", "https://join.example")->text() ==
        "http://check.example/generate_204");
  CHECK_FALSE(portal_origin("", ""));
  CHECK_FALSE(portal_origin("https://check.example/", ""));  // a portal cannot answer TLS
  CHECK_FALSE(portal_origin("nonsense", "https://join.example"));
}

TEST_CASE("captive portal: the request is a GET on a new connection with a bound") {
  Checked one;
  const script::NodeCall& call = one.ask();
  CHECK(call.spec.method == "GET");
  CHECK(call.spec.target == "/v1/clear");
  CHECK(call.spec.fresh_connection);
  CHECK(call.spec.timeouts.total == kPortalTimeMax);
  CHECK(call.spec.body_max.count == kPortalBodyMax.count);
}

TEST_CASE("captive portal: the sink hears in a later turn, once, and may destroy the check") {
  Checked one;
  script::NodeCall& call = one.ask();
  call.head(204, {});
  call.end();
  CHECK(one.times == 0);
  one.timers.settle();
  CHECK(one.times == 1);
  CHECK(one.finding->what == What::clear);
  CHECK(one.check == nullptr);
}

TEST_CASE("captive portal: no answer says why") {
  Checked one;
  one.ask().fail(ports::HttpFailure::Stage::connect, false, true);
  one.timers.settle();
  CHECK(one.finding->what == What::no_answer);
  CHECK(one.finding->text == "no byte in time");
  CHECK(one.finding->status == 0);
}

TEST_CASE("captive portal: a page that is cut off is a page all the same") {
  Checked one;
  script::NodeCall& call = one.ask();
  call.head(200, {{"content-type", "text/html"}});
  call.body(std::string(20'000, 'x'));
  call.body("more");
  call.fail(ports::HttpFailure::Stage::in_body);
  one.timers.settle();
  CHECK(one.finding->what == What::portal);
}
