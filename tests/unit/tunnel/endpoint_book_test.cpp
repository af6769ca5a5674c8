// Addresses of the PoPs in virtual time, over a resolver that is a script.
#include "firmware/tunnel/endpoint_book.h"

#include "tests/script/sim_time.h"
#include "tests/unit/tunnel/converge_world.h"

using namespace sluice;
using namespace sluice::tunnel;
using namespace sluice::tunnel::converge;

namespace {

constexpr auto v4 = IpAddress::Family::v4;
constexpr auto v6 = IpAddress::Family::v6;

class ScriptedNames final : public ports::Names {
 public:
  explicit ScriptedNames(ports::Timers& timers) : timer_(timers.make([this] { tell(); })) {}
  std::map<std::string, std::vector<IpAddress>> hosts;  // absent: no such name
  int asked = 0;

  std::unique_ptr<ports::NameQuery> resolve(const std::string& host, Done done) override {
    ++asked;
    waiting_.emplace_back(host, std::move(done));
    timer_->start(Duration());
    return std::make_unique<ports::NameQuery>();
  }

 private:
  void tell() {
    std::vector<std::pair<std::string, Done>> now;
    now.swap(waiting_);
    for (const auto& [host, done] : now) {
      const auto found = hosts.find(host);
      if (found == hosts.end()) done(Error{ErrorKind::gone, "names", "no such name"});
      if (found != hosts.end()) done(found->second);
    }
  }
  std::vector<std::pair<std::string, Done>> waiting_;
  std::unique_ptr<ports::Timer> timer_;
};

struct Scene : EndpointSink {
  script::SimClock clock;
  script::SimTimers timers{clock};
  ScriptedNames names{timers};
  EndpointBook book{names, timers, clock, *this};
  int told = 0;

  void on_address_changed(const std::string&, IpAddress::Family) override { ++told; }
  void follow(std::vector<std::string> hosts) {
    Pop pop;
    pop.name = "north";
    pop.hosts = std::move(hosts);
    book.follow({pop});
    timers.settle();
  }
  std::string address(IpAddress::Family family = v4) {
    const auto found = book.address("north", family);
    return found ? found->text() : "";
  }
};

}  // namespace

TEST_CASE("endpoints: numeric hosts are known at once and nobody is asked") {
  Scene scene;
  scene.follow({"192.0.2.1", "2001:db8::1"});
  CHECK(scene.address(v4) == "192.0.2.1");
  CHECK(scene.address(v6) == "2001:db8::1");
  CHECK(scene.told == 2);
  scene.timers.pass(Duration::seconds(3600));
  CHECK(scene.names.asked == 0);
  CHECK(scene.told == 2);  // there is no other to try
}

TEST_CASE("endpoints: a name is asked every 30 s while nothing is good, every 5 min else") {
  Scene scene;
  scene.names.hosts["north.example"] = {ip("192.0.2.1")};
  scene.follow({"north.example"});
  CHECK(scene.names.asked == 1);
  CHECK(scene.address() == "192.0.2.1");
  scene.timers.pass(Duration::seconds(299));
  CHECK(scene.names.asked == 10);
  scene.book.set_good("north", v4, true);
  scene.timers.pass(Duration::seconds(60));
  const int before = scene.names.asked;
  scene.timers.pass(Duration::seconds(1500));
  CHECK(scene.names.asked == before + 5);
}

TEST_CASE("endpoints: an address that works survives every answer of the resolver") {
  Scene scene;
  scene.names.hosts["north.example"] = {ip("192.0.2.1")};
  scene.follow({"north.example"});
  scene.book.set_good("north", v4, true);
  scene.names.hosts["north.example"] = {ip("192.0.2.99")};
  scene.timers.pass(Duration::seconds(600));
  CHECK(scene.address() == "192.0.2.1");
  scene.names.hosts.clear();
  scene.timers.pass(Duration::seconds(600));
  CHECK(scene.address() == "192.0.2.1");
  CHECK(scene.book.trouble("north") == "no such name");
  // It stops working: the one that the resolver told meanwhile is tried, after a fair time.
  scene.book.set_good("north", v4, false);
  scene.timers.pass(kAddressTrial - Duration::ms(1));
  CHECK(scene.address() == "192.0.2.1");
  scene.timers.pass(Duration::ms(1));
  CHECK(scene.address() == "192.0.2.99");
}

TEST_CASE("endpoints: a moved name is followed as soon as it is told, when nothing works") {
  Scene scene;
  scene.names.hosts["north.example"] = {ip("192.0.2.1")};
  scene.follow({"north.example"});
  scene.names.hosts["north.example"] = {ip("192.0.2.2")};
  scene.timers.pass(kResolveEvery);
  CHECK(scene.address() == "192.0.2.2");
}

TEST_CASE("endpoints: several addresses take turns until one is good") {
  Scene scene;
  scene.follow({"192.0.2.1", "192.0.2.2", "192.0.2.3"});
  for (const char* expected : {"192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.2"}) {
    scene.timers.pass(kAddressTrial);
    CHECK(scene.address() == expected);
  }
  scene.book.set_good("north", v4, true);
  scene.timers.pass(kAddressTrial * 10);
  CHECK(scene.address() == "192.0.2.2");
  CHECK(scene.told == 5);
}

TEST_CASE("endpoints: one family's trouble does not move the other's address") {
  Scene scene;
  scene.names.hosts["north.example"] = {ip("2001:db8::1"), ip("192.0.2.1")};
  scene.follow({"north.example"});
  CHECK(scene.book.address_for("north", Transport::tcp443, true, true) == ip("192.0.2.1"));
  CHECK(scene.book.address_for("north", Transport::tcp443, false, true) == ip("2001:db8::1"));
  CHECK(scene.book.address_for("north", Transport::udp6, true, false) == ip("2001:db8::1"));
  scene.book.set_good("north", v4, true);
  scene.names.hosts["north.example"] = {ip("2001:db8::2")};  // v4 is not told any more
  scene.timers.pass(kResolveEveryGood);
  CHECK(scene.address(v4) == "192.0.2.1");
  CHECK(scene.address(v6) == "2001:db8::2");
}

TEST_CASE("endpoints: a change of the network asks at once, but not at every change") {
  Scene scene;
  scene.names.hosts["north.example"] = {ip("192.0.2.1")};
  scene.follow({"north.example"});
  scene.timers.pass(Duration::seconds(10));
  for (int i = 0; i < 50; ++i) {
    scene.book.network_changed();
    scene.timers.pass(Duration::ms(10));
  }
  CHECK(scene.names.asked == 2);
  scene.timers.pass(kResolveGap);
  CHECK(scene.names.asked == 3);
}

TEST_CASE("endpoints: a PoP that is not named any more is forgotten, others keep theirs") {
  Scene scene;
  scene.follow({"192.0.2.1", "192.0.2.2"});
  scene.timers.pass(kAddressTrial);
  scene.follow({"192.0.2.2", "192.0.2.1"});
  CHECK(scene.address() == "192.0.2.2");
  scene.book.follow({});
  CHECK(scene.address().empty());
  CHECK_FALSE(scene.book.address_for("north", Transport::udp4, true, true).has_value());
}
