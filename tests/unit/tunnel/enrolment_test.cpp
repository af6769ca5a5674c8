// Joining and leaving as the operator's interface has it, over a client that is a script.
#include "firmware/tunnel/enrolment.h"

#include "firmware/ports/json.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

// One call at a time, answered by the test.
class OperatorLine final : public ports::HttpClient {
 public:
  std::vector<ports::HttpCallSpec> asked;

  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override {
    asked.push_back(std::move(spec));
    sink_ = &sink;
    return std::make_unique<Handle>();
  }
  void answer(int status, std::string_view text) {
    ports::HttpResponseHead head;
    head.status = status;
    sink_->on_head(head);
    sink_->on_body(text);
    sink_->on_end();
  }
  void fail(const ports::HttpFailure& failure) { sink_->on_fail(failure); }

 private:
  struct Handle : ports::HttpCall {
    void pause() override {}
    void resume() override {}
  };
  ports::HttpCallSink* sink_ = nullptr;
};

const char* const kJoined =
    R"({"box_id":"00112233445566aa","credential":"cred-1","network":{"name":"lab",)"
    R"("address":"10.88.0.2","prefixes":["10.88.0.0/24"]},)"
    R"("probe_key":"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=","pops":[{"name":"north",)"
    R"("region":"cn-north","hosts":["192.0.2.1"],"where_port":51819,)"
    R"("probe_address":"10.88.0.1","probe_port":51900,"load":0.3}]})";

struct Scene {
  script::SimClock clock;
  script::SimTimers timers{clock};
  script::SimRandom random{1};
  OperatorLine client;
  std::unique_ptr<Enrolment> enrolment = made("https://op.example:8443/base");

  std::unique_ptr<Enrolment> made(const char* url) {
    auto out = Enrolment::make(url, client, timers, random);
    REQUIRE(out);
    return std::move(*out);
  }
  std::string body() {
    std::string out;
    const auto& spec = client.asked.back();
    if (spec.body) REQUIRE(ports::append_range(*spec.body, 0, spec.body->size(), out));
    return out;
  }
  void fail(ErrorKind kind, const char* text, ports::HttpFailure::Stage stage) {
    client.fail({{kind, "curl", text}, stage, false, false});
  }
};

template <class T>
std::function<void(Result<T>)> into(std::optional<Result<T>>& out) {
  return [&out](Result<T> result) { out.emplace(std::move(result)); };
}

}  // namespace

TEST_CASE("enrolment: a join sends the token once and gives a membership that can be kept") {
  Scene scene;
  std::optional<Result<Membership>> joined;
  scene.enrolment->join("tok-123", "box in Beijing", "8899aabbccddeeff", into(joined));
  CHECK(scene.client.asked.size() == 0);  // nothing inside the call
  scene.timers.settle();
  REQUIRE(scene.client.asked.size() == 1);
  const auto& spec = scene.client.asked.back();
  CHECK(spec.method == "POST");
  CHECK(spec.target == "/base/v1/join");
  CHECK(spec.fields.find("authorization") == nullptr);
  CHECK(scene.body() == R"({"token":"tok-123","box":{"name":"box in Beijing"}})");
  scene.client.answer(200, kJoined);
  CHECK_FALSE(joined.has_value());  // nor inside the client's
  scene.timers.settle();
  REQUIRE(joined);
  REQUIRE(joined->has_value());
  const Membership& membership = joined->value();
  CHECK(membership.operator_url == "https://op.example:8443/base");
  CHECK(membership.credential == "cred-1");
  CHECK(membership.instance == "8899aabbccddeeff");
  CHECK(membership.can_probe());
  CHECK(membership.pops[0].probe_address == ip("10.88.0.1"));
  CHECK(parse_membership(to_json_text(membership)).value() == membership);
}

TEST_CASE("enrolment: what the operator refuses is said in words, and the token never") {
  for (const char* code : {"token_unknown", "token_used", "token_expired"}) {
    CAPTURE(code);
    Scene scene;
    std::optional<Result<Membership>> joined;
    scene.enrolment->join("tok-123", "box", "8899aabbccddeeff", into(joined));
    scene.timers.settle();
    scene.client.answer(
        403, std::string(R"({"error":{"code":")") + code + R"(","message":"tok-123 is bad"}})");
    scene.timers.settle();
    REQUIRE(joined);
    REQUIRE_FALSE(joined->has_value());
    CHECK(joined->error().kind == ErrorKind::refused);
    CHECK(joined->error().text.find("token") != std::string::npos);
    CHECK(joined->error().text.find("tok-123") == std::string::npos);
  }
}

TEST_CASE("enrolment: a join is not said twice once it may have arrived") {
  Scene scene;
  std::optional<Result<Membership>> joined;
  scene.enrolment->join("tok-123", "box", "8899aabbccddeeff", into(joined));
  scene.timers.settle();
  scene.fail(ErrorKind::gone, "cannot connect", ports::HttpFailure::Stage::connect);
  CHECK_FALSE(joined.has_value());
  scene.timers.pass(Duration::seconds(2));
  REQUIRE(scene.client.asked.size() == 2);
  scene.fail(ErrorKind::gone, "the connection broke", ports::HttpFailure::Stage::before_head);
  scene.timers.pass(Duration::seconds(600));
  CHECK(scene.client.asked.size() == 2);
  REQUIRE(joined);
  CHECK(joined->error().kind == ErrorKind::gone);
}

TEST_CASE("enrolment: a certificate that is not valid yet points to the clock") {
  Scene scene;
  std::optional<Result<Membership>> joined;
  scene.enrolment->join("tok-123", "box", "8899aabbccddeeff", into(joined));
  scene.timers.settle();
  scene.fail(ErrorKind::broken,
             "its certificate is not trusted (certificate is not yet valid); check the address",
             ports::HttpFailure::Stage::connect);
  scene.timers.settle();
  REQUIRE(joined);
  CHECK(joined->error().text.find("date is wrong") != std::string::npos);
}

TEST_CASE("enrolment: peers are put again while the operator is busy, with growing pauses") {
  Scene scene;
  const Membership membership = member();
  const auto peers = peers_of(membership, "north");
  REQUIRE(peers.size() == 2);
  std::optional<Result<std::vector<Lane>>> lanes;
  scene.enrolment->put_peers(membership, "north", peers, into(lanes));
  scene.timers.settle();
  CHECK(scene.client.asked.back().method == "PUT");
  CHECK(scene.client.asked.back().target == "/base/v1/boxes/00112233445566aa/peers");
  CHECK(scene.client.asked.back().fields.get("authorization") == "Bearer credential-of-the-box");
  const std::string body = scene.body();
  CHECK(body.find(R"("path":"wan0/north/udp4","transport":"udp4")") != std::string::npos);
  CHECK(body.find(ports::wg_key_text(membership.paths[0].private_key.reveal())) ==
        std::string::npos);
  for (size_t tries = 1; tries < 4; ++tries) {
    CHECK(scene.client.asked.size() == tries);
    scene.client.answer(503, "busy");
    scene.timers.pass(Duration::ms(999 << (tries - 1)));
    CHECK(scene.client.asked.size() == tries);
    scene.timers.pass(Duration::ms(501 << (tries - 1)));
  }
  const std::string key = ports::wg_key_text(membership.paths[0].lane->public_key);
  scene.client.answer(200, R"({"peers":[{"path":"wan0/north/udp4","public_key":")" + key +
                               R"(","port":51821,"tcp_port":443,"preshared_key":")" + key +
                               R"("},{"path":"wan1/north/udp4","public_key":")" + key +
                               R"(","port":51822}]})");
  scene.timers.settle();
  REQUIRE(lanes);
  REQUIRE(lanes->has_value());
  CHECK(lanes->value()[0].port == 51821);
  CHECK(lanes->value()[0].preshared.is_set());
  CHECK(lanes->value()[1].tcp_port == 0);
  CHECK_FALSE(lanes->value()[1].preshared.is_set());
}

TEST_CASE("enrolment: tries end, and what waited goes on") {
  Scene scene;
  const Membership membership = member();
  std::optional<Result<NetworkNews>> news;
  std::optional<Result<void>> readd;
  scene.enrolment->refresh(membership, into(news));
  scene.enrolment->readd(membership, "north", {}, into(readd));
  scene.timers.settle();
  for (int i = 0; i < kEnrolmentTries; ++i) {
    REQUIRE_FALSE(news.has_value());
    scene.fail(ErrorKind::gone, "cannot connect", ports::HttpFailure::Stage::connect);
    scene.timers.pass(Duration::seconds(60));
  }
  REQUIRE(news);
  CHECK(news->error().kind == ErrorKind::gone);
  CHECK(scene.client.asked.back().target == "/base/v1/boxes/00112233445566aa/readd");
  scene.client.answer(200, "{}");
  scene.timers.settle();
  REQUIRE(readd);
  CHECK(readd->has_value());
}

TEST_CASE("enrolment: one that is not known there has left; one that is not reached has not") {
  Scene scene;
  std::optional<Result<void>> left;
  scene.enrolment->leave(member(), into(left));
  scene.timers.settle();
  CHECK(scene.client.asked.back().method == "DELETE");
  scene.client.answer(404, "{}");
  scene.timers.settle();
  REQUIRE(left);
  CHECK(left->has_value());
  left.reset();
  scene.enrolment->leave(member(), into(left));
  scene.timers.settle();
  for (int i = 0; i < kEnrolmentTries; ++i) {
    scene.fail(ErrorKind::gone, "cannot connect", ports::HttpFailure::Stage::connect);
    scene.timers.pass(Duration::seconds(60));
  }
  REQUIRE(left);
  CHECK_FALSE(left->has_value());
}

TEST_CASE("enrolment: answers that are not as promised are refused with their place") {
  const auto error = [](std::string text, std::string_view what, std::string_view with) {
    text.replace(text.find(what), what.size(), with);
    const auto news = read_network_news(ports::parse_json(text).value());
    REQUIRE_FALSE(news);
    CHECK(news.error().kind == ErrorKind::broken);
    return news.error().text;
  };
  CHECK(error(kJoined, "10.88.0.2", "fd00::2").find("network.address") != std::string::npos);
  CHECK(error(kJoined, "10.88.0.0/24", "0.0.0.0/0").find("everything") != std::string::npos);
  CHECK(error(kJoined, "[\"192.0.2.1\"]", "[]").find("no host") != std::string::npos);
  CHECK(error(kJoined, "51819", "99999").find("pops[0].where_port") != std::string::npos);
  CHECK(error(kJoined, "\"probe_key\"", "\"other_key\"").find("probe_key") != std::string::npos);
}

TEST_CASE("enrolment: an answer without bound is cut off, one that is no JSON explained") {
  Scene scene;
  std::optional<Result<NetworkNews>> news;
  scene.enrolment->refresh(member(), into(news));
  scene.timers.settle();
  scene.client.answer(200, std::string(300 * 1024, ' '));
  scene.timers.settle();
  REQUIRE(news);
  CHECK(news->error().text.find("larger") != std::string::npos);
  news.reset();
  scene.enrolment->refresh(member(), into(news));
  scene.timers.settle();
  scene.client.answer(200, "<html>Log in</html>");
  scene.timers.settle();
  REQUIRE(news);
  CHECK(news->error().text.find("captive portal") != std::string::npos);
}

TEST_CASE("enrolment: plain http is for loopback only") {
  Scene scene;
  CHECK_FALSE(Enrolment::make("http://op.example", scene.client, scene.timers, scene.random));
  CHECK_FALSE(Enrolment::make("http://10.0.0.1", scene.client, scene.timers, scene.random));
  CHECK(Enrolment::make("http://127.0.0.1:8080", scene.client, scene.timers, scene.random));
  CHECK(Enrolment::make("http://[::1]:8080", scene.client, scene.timers, scene.random));
}

TEST_CASE("enrolment: done may end the enrolment") {
  Scene scene;
  scene.enrolment->refresh(member(), [&](Result<NetworkNews>) { scene.enrolment.reset(); });
  scene.timers.settle();
  scene.client.answer(200, kJoined);
  scene.timers.settle();
  CHECK(scene.enrolment == nullptr);
}

TEST_CASE("enrolment: paths of a PoP that is gone go with it") {
  Membership membership = member();
  NetworkNews news;
  news.network = "lab";
  news.address = membership.address;
  news.prefixes = membership.prefixes;
  news.pops = {membership.pops[1]};
  take_news(membership, news);
  CHECK(membership.paths.size() == 2);
  CHECK(check_membership(membership));
}

TEST_CASE("enrolment: beyond its bound it takes no request, and says so at once") {
  Scene scene;
  const Membership membership = member();
  int refused = 0;
  int asked = 0;
  const auto count = [&](const Result<void>& added) {
    refused += !added && added.error().kind == ErrorKind::busy ? 1 : 0;
  };
  for (; asked < 3 * static_cast<int>(kEnrolmentQueueMax); ++asked) {
    scene.enrolment->readd(membership, "north", {}, count);
    CHECK(refused == std::max(0, asked - static_cast<int>(kEnrolmentQueueMax)));
    scene.timers.settle();  // the first is never answered
  }
  CHECK(refused == asked - static_cast<int>(kEnrolmentQueueMax));
  CHECK(scene.client.asked.size() == 1);
}
