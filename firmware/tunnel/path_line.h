// One path made real: its WireGuard interface, brought to what is wanted and kept there, and the
// prober inside it.
//
//   closed --want--> opening --> reading --> changing --> settled --want, poll--> reading ...
//                       '--failed: closed, tried again at a later poll
//   any --want_nothing--> removing --> closed
//
// Thread: loop. Lifetime: ends before the ports. Sinks hear in later turns only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/path_prober.h"
#include "firmware/tunnel/wanted.h"

namespace sluice::tunnel {

class LineSink : public ProberSink {
 public:
  // Its interface came, went or was changed: the network is to be looked at again.
  virtual void on_line_changed(int number) = 0;
};

class PathLine {
 public:
  static constexpr Duration kRetry = Duration::seconds(5);  // after an error of the backend

  PathLine(int number, PathName name, ports::WireGuard& wireguard, const ProberPorts& ports,
           const PathSettings& settings, LineSink& sink);
  ~PathLine();
  PathLine(const PathLine&) = delete;
  PathLine& operator=(const PathLine&) = delete;

  const PathName& name() const { return name_; }
  int number() const { return number_; }
  PathProber& prober() { return prober_; }
  const PathProber& prober() const { return prober_; }

  // The device as it shall be. The first call opens the interface.
  void want(const WantedDevice& device);
  void want_nothing();  // removes it
  // Order: when its link is up and has its address. Again with other values: probes anew, as when
  // the link (its index) is another one of the same name; another MTU, or metered or not, changes
  // while it goes on. What cannot be started is tried again by a call kRetry later.
  void probe(const ProberSpec& spec, int link);
  void stop_probing(std::string trouble);
  // Once a second: reads handshake and counters, tries again what failed.
  void poll();
  // Both as soon as no step is under way.
  void endpoint_again();  // for a source address that is gone, or a way that moved
  void take_new_port();   // out of an address translation that has gone stale
  void data_plane_lost();
  void data_plane_back();

  bool is_removed() const { return state_ == State::closed && !wanted_; }
  bool is_settled() const { return applied_.has_value(); }
  const std::optional<WantedDevice>& wanted() const { return wanted_; }
  // As of the last poll; nothing: not read yet, or the peer is not there.
  const std::optional<ports::WgPeerState>& peer() const { return peer_; }
  uint16_t listen_port() const { return listen_port_; }
  bool is_data_plane_down() const { return data_plane_down_; }
  const std::string& trouble() const { return trouble_; }  // of the backend; empty: none

 private:
  enum class State { closed, opening, reading, changing, settled, removing };
  void move_to(State state);
  void go_on();  // the next step towards what is wanted
  void open();
  void read();
  void on_open(const Result<void>& opened);
  void on_state(const Result<ports::WgState>& state);
  void on_changed(const Result<void>& changed, const WantedDevice& device);
  void set_anew();
  void on_set_anew(const Result<void>& done, bool port);
  void fail(const Error& error);

  // Fixed after construction.
  const int number_;
  const PathName name_;
  const std::string interface_;
  ports::WireGuard& wireguard_;
  const ports::Clock& clock_;
  Log& log_;
  LineSink& sink_;
  // Changes.
  State state_ = State::closed;
  std::optional<WantedDevice> wanted_;
  std::optional<WantedDevice> applied_;
  bool again_ = false;         // something else was wanted while a step was under way
  bool endpoint_due_ = false;  // endpoint_again() was asked for
  bool port_due_ = false;      // take_new_port() was
  std::optional<ports::WgPeerState> peer_;
  uint16_t listen_port_ = 0;
  bool data_plane_down_ = false;
  std::string trouble_;
  Instant retry_at_;
  std::optional<ProberSpec> probed_;  // or was tried; nothing is: empty
  int probed_link_ = 0;
  std::string probe_trouble_;  // why it could not be started; empty: it was
  Instant probe_again_at_;
  std::shared_ptr<bool> alive_;  // false: answers come to nobody
  PathProber prober_;
};

}  // namespace sluice::tunnel
