// A path of the site: its line, and what only the site knows of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firmware/tunnel/diagnosis.h"
#include "firmware/tunnel/path_line.h"
#include "firmware/tunnel/shim.h"
#include "firmware/tunnel/site_tunnels.h"

namespace sluice::tunnel {

// A path that was dead for so long will not be well the next moment.
inline constexpr Duration kDeadSurely = Duration::seconds(3);

struct SiteTunnels::Line final : ShimSink {
  Line(SiteTunnels& of, int number, const PathName& name)
      : site(of),
        line(number, name, of.ports_.wireguard,
             {of.ports_.clock, of.ports_.timers, of.ports_.datagrams, of.ports_.random,
              of.ports_.log},
             of.settings_.path, of) {}

  void on_shim_up() override { line.prober().move_endpoint(); }
  void on_shim_down(const Error& why) override {
    site.ports_.log.info("tunnel", "{}: {}", line.name().text(), why.text);
  }

  SiteTunnels& site;
  std::unique_ptr<ports::Dialer> dialer;  // by the uplink, for the shim
  std::unique_ptr<Shim> shim;
  std::string shim_identity;  // what the shim was made for
  PathLine line;
  bool leaving = false;  // not wanted any more; ends when its interface is gone
  bool metered = false;
  int preference = 0;
  std::string uplink;  // by which it leaves now
  Words trouble;       // why it cannot be brought up; empty: it can
  Diagnosis diagnosis;
  Cause told = Cause::none;  // what was said last
  // Without probes: by WireGuard's own handshakes.
  PathState unprobed = PathState::down;
  Instant unprobed_since;
  std::optional<Date> handshake;  // the last, as the backend dates it
  Instant handshake_at;           // the same by the clock, which nobody sets
  // As the PoP remembers it: also when the peer was taken away since.
  std::optional<Date> begun;
  std::optional<Instant> held_at;  // the last time that the date held it back
  uint64_t received_before = 0;    // bytes, as of the last care
  uint64_t sent_before = 0;
  uint64_t received = 0;  // in the last second
  uint64_t sent = 0;
  Instant port_since;                     // how old its port is, at least
  std::optional<Instant> needed_port_at;  // took a new one out of need, the last time
};

}  // namespace sluice::tunnel
