// A network in virtual time for tests of the tunnel: datagrams, connections, names and links whose
// other ends are the test. Nothing is delivered inside the call that caused it.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/check.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/links.h"
#include "firmware/ports/names.h"
#include "firmware/ports/streams.h"
#include "tests/script/fake_stream.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"

namespace sluice::tunnel_test {

inline IpAddress ip(std::string_view text) {
  const std::optional<IpAddress> address = IpAddress::parse(text);
  ENSURE(address.has_value());
  return *address;
}
inline IpEndpoint at(std::string_view text) {
  const std::optional<IpEndpoint> endpoint = IpEndpoint::parse(text);
  ENSURE(endpoint.has_value());
  return *endpoint;
}
inline IpPrefix net(std::string_view text) {
  const std::optional<IpPrefix> prefix = IpPrefix::parse(text);
  ENSURE(prefix.has_value());
  return *prefix;
}

// What happens later, each thing once. Things of one moment happen in the order they were told.
class Later {
 public:
  explicit Later(ports::Timers& timers) : timers_(timers) {}
  void in(Duration time, Callback what) {
    waiting_.emplace_back();
    const auto place = std::prev(waiting_.end());
    *place = timers_.make([this, place, what = std::move(what)] {
      const std::unique_ptr<ports::Timer> timer = std::move(*place);
      waiting_.erase(place);
      what();
    });
    (*place)->start(time);
  }

 private:
  ports::Timers& timers_;
  std::list<std::unique_ptr<ports::Timer>> waiting_;
};

// Every socket that is opened; `network` sees what is sent and decides what becomes of it.
class FakeDatagrams : public ports::Datagrams {
 public:
  struct Sent {
    int socket = 0;
    ports::DatagramSpec spec;  // of the socket
    IpEndpoint from;
    IpEndpoint to;
    std::string bytes;
    Instant when;
  };
  using Network = std::function<Result<void>(const Sent&)>;

  FakeDatagrams(const ports::Clock& clock, ports::Timers& timers) : clock_(clock), later_(timers) {}

  Network network = [](const Sent&) { return Result<void>(); };  // swallows everything
  std::function<std::optional<Error>(const ports::DatagramSpec&)> refuse_open;
  std::vector<Sent> sent;

  Result<std::unique_ptr<ports::DatagramSocket>> open(const ports::DatagramSpec& spec,
                                                      ports::DatagramSink& sink) override {
    if (refuse_open) {
      if (const std::optional<Error> error = refuse_open(spec)) return *error;
    }
    const int id = next_++;
    IpEndpoint local{spec.way.source.value_or(IpAddress::any(spec.family)), spec.port};
    if (local.port == 0) local.port = static_cast<uint16_t>(40000 + id);
    open_[id] = Opened{spec, local, &sink};
    return std::unique_ptr<ports::DatagramSocket>(std::make_unique<Socket>(*this, id));
  }

  size_t open_sockets() const { return open_.size(); }
  std::vector<int> sockets() const {
    std::vector<int> ids;
    for (const auto& [id, opened] : open_) ids.push_back(id);
    return ids;
  }
  IpEndpoint local(int socket) const { return open_.at(socket).local; }
  // To a socket that may be closed by then.
  void deliver(int socket, const IpEndpoint& from, std::string bytes, Duration after = {}) {
    later_.in(after, [this, socket, from, bytes = std::move(bytes)] {
      const auto found = open_.find(socket);
      if (found != open_.end()) found->second.sink->on_datagram(from, bytes, clock_.now());
    });
  }
  void undelivered(int socket, const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                   Duration after = {}) {
    later_.in(after, [this, socket, to, by, hops_ended] {
      const auto found = open_.find(socket);
      const Error error{ErrorKind::gone, "icmp", hops_ended ? "hops ended" : "unreachable"};
      if (found != open_.end()) found->second.sink->on_undelivered(to, by, hops_ended, error);
    });
  }

 private:
  struct Opened {
    ports::DatagramSpec spec;
    IpEndpoint local;
    ports::DatagramSink* sink = nullptr;
  };
  struct Socket : ports::DatagramSocket {
    Socket(FakeDatagrams& on, int number) : world(on), id(number) {}
    ~Socket() override { world.open_.erase(id); }
    IpEndpoint local() const override { return world.open_.at(id).local; }
    Result<void> send(const IpEndpoint& to, std::string_view bytes) override {
      const Opened& opened = world.open_.at(id);
      const Sent one{id, opened.spec, opened.local, to, std::string(bytes), world.clock_.now()};
      world.sent.push_back(one);
      return world.network(one);
    }
    FakeDatagrams& world;
    int id;
  };

  const ports::Clock& clock_;
  Later later_;
  std::map<int, Opened> open_;
  int next_ = 1;
};

// Connections that the test takes or refuses, in the order in which they were asked for.
class FakeDialer : public ports::Dialer {
 public:
  struct Asked {
    ports::Address to;
    Duration timeout;
    ports::DialSink* sink = nullptr;  // null: given up, or answered
    std::shared_ptr<script::Wire> wire = std::make_shared<script::Wire>();
  };
  std::vector<std::unique_ptr<Asked>> asked;
  std::function<void(Asked&)> on_ask;  // inside dial(): answer later only

  std::unique_ptr<ports::Dial> dial(const ports::Address& to, Duration timeout,
                                    ports::DialSink& sink) override {
    asked.push_back(std::make_unique<Asked>());
    *asked.back() = Asked{to, timeout, &sink};
    if (on_ask) on_ask(*asked.back());
    return std::make_unique<Dial>(*asked.back());
  }
  Asked& last() {
    ENSURE(!asked.empty());
    return *asked.back();
  }
  static void connect(Asked& one) {
    ENSURE(one.sink != nullptr);
    ports::DialSink& sink = *one.sink;
    one.sink = nullptr;
    sink.on_connected(std::make_unique<script::FakeStream>(one.wire, one.to.host));
  }
  static void fail(Asked& one, std::string text = "connection refused") {
    ENSURE(one.sink != nullptr);
    ports::DialSink& sink = *one.sink;
    one.sink = nullptr;
    sink.on_dial_failed({ErrorKind::gone, "dial", std::move(text)});
  }

 private:
  struct Dial : ports::Dial {
    explicit Dial(Asked& of) : asked(of) {}
    ~Dial() override { asked.sink = nullptr; }
    Asked& asked;
  };
};

// One FakeDialer for each interface.
class FakeDialers : public ports::Dialers {
 public:
  std::map<std::string, FakeDialer> by_interface;

  std::unique_ptr<ports::Dialer> by(const ports::OutboundWay& way) override {
    return std::make_unique<Forward>(by_interface[way.interface]);
  }

 private:
  struct Forward : ports::Dialer {
    explicit Forward(FakeDialer& of) : to(of) {}
    std::unique_ptr<ports::Dial> dial(const ports::Address& address, Duration timeout,
                                      ports::DialSink& sink) override {
      return to.dial(address, timeout, sink);
    }
    FakeDialer& to;
  };
};

// Names that the test knows; others are gone. Answers `after` a time.
class FakeNames : public ports::Names {
 public:
  explicit FakeNames(ports::Timers& timers) : timers_(timers) {}
  std::map<std::string, std::vector<IpAddress>> known;
  Duration after;
  bool silent = false;
  std::vector<std::string> asked;

  std::unique_ptr<ports::NameQuery> resolve(const std::string& host, Done done) override {
    asked.push_back(host);
    auto query = std::make_unique<Query>();
    if (silent) return query;
    Result<std::vector<IpAddress>> answer =
        Error{ErrorKind::gone, "names", "there is no name " + host};
    if (const auto numeric = IpAddress::parse(host)) {
      answer = std::vector<IpAddress>{*numeric};
    } else if (const auto found = known.find(host); found != known.end()) {
      answer = found->second;
    }
    query->timer = timers_.make([done = std::move(done), answer] { done(answer); });
    query->timer->start(after);
    return query;
  }

 private:
  struct Query : ports::NameQuery {
    std::unique_ptr<ports::Timer> timer;
  };
  ports::Timers& timers_;
};

// The machine's network as a value; changes are taken down and not applied.
class FakeLinks : public ports::Links {
 public:
  ports::NetworkState state;
  std::optional<Error> fails;
  std::vector<ports::NetworkChange> changes;
  ports::LinksSink* sink = nullptr;

  Result<ports::NetworkState> read() override {
    if (fails) return *fails;
    return state;
  }
  Result<void> apply(const ports::NetworkChange& change) override {
    changes.push_back(change);
    return {};
  }
  void watch(ports::LinksSink* to) override { sink = to; }
};

// An interface with a default route of the main table.
inline void add_uplink(ports::NetworkState& network, int index, const std::string& name,
                       std::string_view address, std::string_view gateway) {
  ports::LinkState link;
  link.index = index;
  link.name = name;
  link.up = link.carrier = true;
  link.mtu = 1500;
  link.addresses = {net(address)};
  network.links.push_back(link);
  ports::RouteState route;
  route.family = link.addresses.front().address.family;
  route.to = {IpAddress::any(route.family), 0};
  route.link = index;
  route.gateway = ip(gateway);
  network.routes.push_back(route);
}

struct NetWorld {
  script::SimClock clock;
  script::SimTimers timers{clock};
  script::SimCalendar calendar{clock};
  script::SimRandom random{1};
  FakeDatagrams datagrams{clock, timers};
  FakeDialer dialer;
  FakeDialers dialers;
  FakeNames names{timers};
  FakeLinks links;
  Later later{timers};

  void pass(Duration time) { timers.pass(time); }
  void settle() { timers.settle(); }
};

}  // namespace sluice::tunnel_test
