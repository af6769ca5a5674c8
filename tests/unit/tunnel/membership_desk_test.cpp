// What the desk says of its operator and its disk, and for how long.
#include "firmware/tunnel/membership_desk.h"

#include "tests/unit/tunnel/site_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::site_test;

namespace {

class FullDisk : public script::MemoryFiles {
 public:
  bool full = false;
  Result<void> replace(const std::string& path, std::string_view content) override {
    if (full) return Error{ErrorKind::refused, "disk", "no space is left"};
    return MemoryFiles::replace(path, content);
  }
};

struct Scene {
  script::SimClock clock;
  script::SimTimers timers{clock};
  BoxDate date{clock};
  script::SimRandom random{5};
  RandomSecrets secrets;
  FullDisk files;
  LogLines log;
  ModelOperator op{clock, timers};
  std::unique_ptr<MembershipDesk> desk = std::make_unique<MembershipDesk>(
      DeskPorts{files, secrets, random, timers, clock, date,
                [this](const std::string&) -> ports::HttpClient& { return op; }, log},
      "state", "box", [] {});

  // Of the next answer; must have come by then.
  Result<void> answer_of(const std::function<void(MembershipDesk::Done)>& ask) {
    std::optional<Result<void>> told;
    ask([&told](Result<void> result) { told = std::move(result); });
    pass(Duration::seconds(200));
    REQUIRE(told);
    return *told;
  }
  Result<void> join() {
    return answer_of([this](auto done) {
      desk->join({"http://127.0.0.1:8080", "tok-1", ""}, std::move(done));
    });
  }
  Result<void> leave() {
    return answer_of([this](auto done) { desk->leave(std::move(done)); });
  }
  void import() {
    ports::WgKey own{};
    own.fill(0x21);
    ports::WgKey peer{};
    peer.fill(0x80);
    const std::string text =
        "[Interface]\nPrivateKey = " + ports::wg_key_text(own) +
        "\nAddress = 10.88.0.2/32\n\n[Peer]\nPublicKey = " + ports::wg_key_text(peer) +
        "\nAllowedIPs = 10.88.0.0/24\nEndpoint = 192.0.2.1:51821\n";
    REQUIRE(answer_of([&](auto done) { desk->import(text, std::move(done)); }));
  }
  void pass(Duration time) {
    for (const Instant end = clock.now() + time; clock.now() < end;) {
      timers.pass(Duration::seconds(1));
      desk->poll();
    }
  }
  std::string said() const {
    std::string out;
    for (const Words& words : desk->troubles()) {
      CHECK(words.zh.find(words.en) != std::string::npos);
      CHECK(words.zh != words.en);
      out += words.en + "\n";
    }
    return out;
  }
  const PathWishes wishes{{"wan0"}, {Transport::udp4}};
};

constexpr Duration kHour = Duration::seconds(3600);

}  // namespace

TEST_CASE("desk: news that could not be had is said until it is had") {
  Scene scene;
  REQUIRE(scene.join());
  CHECK(scene.said().empty());
  scene.op.status = 503;
  scene.pass(kHour + Duration::seconds(60));
  CHECK(scene.said().find("cannot answer now") != std::string::npos);
  const int asked = scene.op.count("GET ");
  scene.op.status = 0;
  scene.pass(MembershipDesk::kRefreshAgain);
  CHECK(scene.said().empty());
  CHECK(scene.op.count("GET ") == asked + 1);
  scene.pass(kHour / 2);
  CHECK(scene.op.count("GET ") == asked + 1);  // and then every hour
}

TEST_CASE("desk: one request that goes well does not hide that another does not") {
  Scene scene;
  REQUIRE(scene.join());
  scene.desk->keep_paths(scene.wishes);
  scene.pass(Duration::seconds(5));
  REQUIRE(scene.desk->membership()->paths.size() == 1);
  const PathName path = scene.desk->membership()->paths.front().name;
  scene.op.down = true;
  scene.desk->readd(path);
  scene.pass(Duration::seconds(60));
  CHECK_FALSE(scene.said().empty());
  scene.op.down = false;
  scene.desk->rotate(path);
  scene.pass(Duration::seconds(5));
  CHECK_FALSE(scene.desk->is_rotating());
  CHECK_FALSE(scene.said().empty());
  scene.desk->readd(path);
  scene.pass(Duration::seconds(5));
  CHECK(scene.desk->readd_asked(path));
  CHECK(scene.said().empty());
}

TEST_CASE("desk: a trouble with adding a path anew is over when the path works") {
  Scene scene;
  REQUIRE(scene.join());
  scene.desk->keep_paths(scene.wishes);
  scene.pass(Duration::seconds(5));
  const PathName path = scene.desk->membership()->paths.front().name;
  scene.op.down = true;
  scene.desk->readd(path);
  scene.pass(Duration::seconds(60));
  REQUIRE_FALSE(scene.said().empty());
  scene.desk->readd_helped(path);
  CHECK(scene.said().empty());
}

TEST_CASE("desk: an operator that was left is asked nothing more, also after an import") {
  Scene scene;
  REQUIRE(scene.join());
  REQUIRE(scene.leave());
  scene.import();
  scene.log.lines.clear();
  const size_t asked = scene.op.asked.size();
  scene.pass(kHour * 3);
  CHECK(scene.said().empty());
  CHECK(scene.log.lines.empty());
  CHECK(scene.op.asked.size() == asked);
}

TEST_CASE("desk: what was wrong with a network is not said of the next") {
  Scene scene;
  REQUIRE(scene.join());
  scene.op.down = true;
  scene.pass(kHour + Duration::seconds(60));
  CHECK_FALSE(scene.said().empty());
  CHECK_FALSE(scene.leave());  // which the operator was not told
  CHECK(scene.said().empty());
  scene.import();
  CHECK(scene.said().empty());
}

TEST_CASE("desk: a membership that cannot be kept is left again, and another can be joined") {
  Scene scene;
  scene.files.full = true;
  CHECK_FALSE(scene.join());
  CHECK(scene.desk->membership() == nullptr);
  CHECK(scene.op.count("DELETE ") == 1);
  CHECK(scene.said() == "no space is left\n");
  scene.files.full = false;
  REQUIRE(scene.join());
  CHECK(scene.said().empty());
}
