// This machine for tests of the site's tunnels: a kernel's tables behind ports::Links, WireGuard
// interfaces that live in them, and the system's programs. In virtual time; it outlives the site,
// as a kernel does.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "firmware/ports/programs.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/path_keys.h"
#include "tests/unit/tunnel/converge_world.h"
#include "tests/unit/tunnel/net_world.h"

namespace sluice::site_test {

using tunnel::converge::KernelModel;

class ModelLinks : public ports::Links {
 public:
  ModelLinks(ports::Timers& timers, ports::NetworkState state)
      : model_(std::move(state)), tell_(timers.make([this] {
          const std::vector<int> links = changed_links();
          if (sink_ != nullptr) sink_->on_network_changed(links);
        })) {}

  std::vector<ports::NetworkChange> changes;  // that were asked for
  std::function<bool(const ports::NetworkChange&)> refuses;
  Callback after_change;
  int reads = 0;

  const ports::NetworkState& state() const { return model_.state(); }
  std::optional<std::string> leaves_by(const IpAddress& to, uint32_t mark) const {
    return model_.leaves_by(to, mark);
  }
  // Something else changes the kernel's state.
  void edit(const std::function<void(ports::NetworkState&)>& change) {
    ports::NetworkState state = model_.state();
    change(state);
    model_ = KernelModel(std::move(state));
    tell_->start(Duration());
    if (after_change) after_change();
  }
  const ports::LinkState* link(const std::string& name) const {
    for (const ports::LinkState& one : state().links) {
      if (one.name == name) return &one;
    }
    return nullptr;
  }
  void set_carrier(const std::string& name, bool carrier) {
    edit([&](ports::NetworkState& state) {
      for (ports::LinkState& one : state.links) {
        if (one.name == name) one.carrier = carrier;
      }
    });
  }
  // As the kernel does it: what leads there goes with it.
  void remove_link(const std::string& name) {
    const ports::LinkState* gone = link(name);
    if (gone == nullptr) return;
    const int index = gone->index;
    edit([index](ports::NetworkState& state) {
      std::set<uint32_t> dead;
      for (const auto& one : state.nexthops) {
        if (one.group.empty() && one.link == index) dead.insert(one.id);
      }
      for (auto& one : state.nexthops) {
        const bool had = !one.group.empty();
        std::erase_if(one.group, [&](uint32_t id) { return dead.contains(id); });
        if (had && one.group.empty()) dead.insert(one.id);
      }
      std::erase_if(state.nexthops, [&](const auto& one) { return dead.contains(one.id); });
      std::erase_if(state.routes, [&](const auto& one) {
        return one.nexthop != 0 ? dead.contains(one.nexthop) : one.link == index;
      });
      std::erase_if(state.links, [&](const auto& one) { return one.index == index; });
    });
  }

  Result<ports::NetworkState> read() override {
    ++reads;
    return model_.state();
  }
  Result<void> apply(const ports::NetworkChange& change) override {
    changes.push_back(change);
    if (refuses && refuses(change)) return Error{ErrorKind::refused, "kernel", "it will not"};
    model_.refused = false;
    model_.apply(change);
    tell_->start(Duration());
    if (after_change) after_change();
    if (model_.refused) return Error{ErrorKind::refused, "kernel", "something is missing"};
    return {};
  }
  void watch(ports::LinksSink* sink) override { sink_ = sink; }

 private:
  // Since this was asked last; they go, come, or are another.
  std::vector<int> changed_links() {
    std::map<int, int> same;
    for (const std::vector<ports::LinkState>* all : {&std::as_const(told_), &state().links}) {
      const auto& other = all == &told_ ? state().links : told_;
      for (const ports::LinkState& one : *all) {
        same[one.index] = std::find(other.begin(), other.end(), one) != other.end() ? 1 : 0;
      }
    }
    told_ = state().links;
    std::vector<int> out;
    for (const auto& [index, is_same] : same) {
      if (is_same == 0) out.push_back(index);
    }
    return out;
  }

  KernelModel model_;
  std::vector<ports::LinkState> told_;
  ports::LinksSink* sink_ = nullptr;
  std::unique_ptr<ports::Timer> tell_;
};

// Interfaces with what a data plane remembers: sessions, the source address that it took, its port.
class ModelWireGuard : public ports::WireGuard {
 public:
  static constexpr Duration kAnswer = Duration::ms(1);

  struct Device {
    bool runs = true;
    ports::WgState state;
    std::optional<IpAddress> source;  // latched with the first packet, until the endpoint is set
    std::optional<Instant> session;   // since
    ports::WgKey session_with{};
  };
  enum class What { open, change, read, remove };

  ModelWireGuard(ports::Timers& timers, ModelLinks& links) : links_(links), later_(timers) {}

  std::map<std::string, Device> devices;
  std::vector<ports::WgChange> changes;
  std::vector<std::string> removed;
  std::function<std::optional<Error>(What, const std::string& interface)> fails;
  int opens = 0;
  int reads = 0;

  std::string_view backend() const override { return "model"; }

  void open(const std::string& interface, Done done) override {
    ++opens;
    Result<void> answer = failure(What::open, interface);
    if (answer && !devices.contains(interface)) {
      devices[interface].state.interface = interface;
      devices[interface].state.listen_port = next_port_++;
      const int index = next_index_++;
      links_.edit([&](ports::NetworkState& state) {
        state.links.push_back({index, interface, "tun", false, true, false, 1420, {}});
      });
    }
    later_.in(kAnswer, [done = std::move(done), answer] { done(answer); });
  }

  void change(ports::WgChange change, Done done) override {
    changes.push_back(change);
    Result<void> answer = failure(What::change, change.interface);
    if (answer) take(devices.at(change.interface), change);
    later_.in(kAnswer, [done = std::move(done), answer] { done(answer); });
  }

  void read(const std::string& interface, OnState done) override {
    ++reads;
    Result<void> could = failure(What::read, interface);
    Result<ports::WgState> answer = could ? Result<ports::WgState>(devices.at(interface).state)
                                          : Result<ports::WgState>(could.error());
    later_.in(kAnswer, [done = std::move(done), answer] { done(answer); });
  }

  void remove(const std::string& interface, Done done) override {
    removed.push_back(interface);
    Result<void> answer;
    if (fails) {
      if (const auto error = fails(What::remove, interface)) answer = *error;
    }
    if (answer) devices.erase(interface);
    if (answer) links_.remove_link(interface);
    later_.in(kAnswer, [done = std::move(done), answer] { done(answer); });
  }

  // The process that carries it ends, and another one begins: what it knew is gone.
  void kill(const std::string& interface, ports::WgEvents& events) {
    devices.at(interface).runs = false;
    events.on_data_plane_lost(interface, {ErrorKind::gone, "model", "the data plane ended"});
  }
  void revive(const std::string& interface, ports::WgEvents& events) {
    Device& device = devices.at(interface);
    device = Device{};
    device.state.interface = interface;
    device.state.listen_port = next_port_++;
    events.on_data_plane_back(interface);
  }
  uint16_t next_port() { return next_port_++; }

 private:
  Result<void> failure(What what, const std::string& interface) {
    if (fails) {
      if (const auto error = fails(what, interface)) return *error;
    }
    if (what == What::open) return {};
    if (!devices.contains(interface)) {
      return Error{ErrorKind::gone, "model", interface + " is not open"};
    }
    return {};
  }

  void take(Device& device, const ports::WgChange& change) {
    ports::WgState& state = device.state;
    if (change.private_key) state.public_key = tunnel::public_key_of(*change.private_key);
    if (change.mark) state.mark = *change.mark;
    if (change.listen_port) {
      state.listen_port = *change.listen_port == 0 ? next_port_++ : *change.listen_port;
      device.source.reset();
    }
    for (const ports::WgPeerChange& wish : change.peers) {
      auto peer = std::find_if(state.peers.begin(), state.peers.end(),
                               [&](const auto& one) { return one.public_key == wish.public_key; });
      if (wish.remove) {
        if (peer != state.peers.end()) {
          state.peers.erase(peer);
          device.session.reset();
        }
        continue;
      }
      if (peer == state.peers.end() && wish.update_only) continue;
      if (peer == state.peers.end()) {
        peer = state.peers.insert(peer, ports::WgPeerState{});
        peer->public_key = wish.public_key;
      }
      if (wish.preshared) peer->has_preshared = wish.preshared->is_set();
      if (wish.endpoint) device.source.reset();
      if (wish.endpoint) peer->endpoint = wish.endpoint;
      if (wish.keepalive) peer->keepalive = *wish.keepalive;
      if (wish.replace_allowed) peer->allowed.clear();
      peer->allowed.insert(peer->allowed.end(), wish.allowed.begin(), wish.allowed.end());
    }
  }

  ModelLinks& links_;
  tunnel_test::Later later_;
  int next_index_ = 100;
  uint16_t next_port_ = 33000;
};

// nft and tc. What they are told takes effect when they end.
class ModelPrograms : public ports::Programs {
 public:
  struct Run {
    std::string program;
    std::string input;
    Instant when;
  };
  ModelPrograms(const ports::Clock& clock, ports::Timers& timers)
      : clock_(clock), timers_(timers) {}

  std::vector<Run> runs;
  std::function<std::optional<Result<ports::ProgramEnd>>(const ports::ProgramSpec&)> answers;
  bool belt = false;         // against leaks
  int stopped = 0;           // packets, counted by the belt
  int destroyed_inside = 0;  // runs that ended in their own callback
  std::string cut;           // interface whose arriving packets are dropped, for a drill

  int count(std::string_view with) const {
    return static_cast<int>(std::count_if(runs.begin(), runs.end(), [with](const Run& run) {
      return run.input.find(with) != std::string::npos;
    }));
  }

  std::unique_ptr<ports::ProgramRun> run(ports::ProgramSpec spec, Done done) override {
    runs.push_back({spec.program, spec.input, clock_.now()});
    auto made = std::make_unique<Running>(*this);
    Running* run = made.get();
    made->timer = timers_.make([this, run, spec = std::move(spec), done = std::move(done)] {
      const auto wished = answers ? answers(spec) : std::nullopt;
      if (!wished) take(spec.input);
      const bool asks = !spec.arguments.empty() && spec.arguments.front() == "--json";
      const ports::ProgramEnd own =
          !asks ? ports::ProgramEnd{} : ports::ProgramEnd{belt ? 0 : 1, belt ? counters() : "", ""};
      calling_ = run;
      done(wished ? *wished : Result<ports::ProgramEnd>(own));
      calling_ = nullptr;
    });
    made->timer->start(Duration::ms(2));
    return made;
  }

 private:
  struct Running : ports::ProgramRun {
    explicit Running(ModelPrograms& of) : programs(of) {}
    ~Running() override { programs.destroyed_inside += programs.calling_ == this ? 1 : 0; }
    ModelPrograms& programs;
    std::unique_ptr<ports::Timer> timer;
  };
  std::string counters() const {
    std::string list;
    for (const char* name : {"leaks_output", "leaks_forward", "spoofed_input"}) {
      list += fmt::format(
          R"({}{{"counter": {{"family": "inet", "name": "{}", "table": "sluice_tunnel", "packets": {}, "bytes": 0}}}})",
          list.empty() ? "" : ", ", name, name == std::string("leaks_output") ? stopped : 0);
    }
    return fmt::format(R"({{"nftables": [{}]}})", list);
  }
  void take(const std::string& input) {
    if (input.find("sluice_tunnel") != std::string::npos) {
      belt = input.find("chain output") != std::string::npos;
    }
    if (input.find("sluice_drill") == std::string::npos) return;
    const size_t at = input.find("iifname \"");
    cut = at == std::string::npos ? "" : input.substr(at + 9, input.find('"', at + 9) - at - 9);
  }
  const ports::Clock& clock_;
  ports::Timers& timers_;
  const Running* calling_ = nullptr;
};

}  // namespace sluice::site_test
