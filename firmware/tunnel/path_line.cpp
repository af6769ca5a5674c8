#include "firmware/tunnel/path_line.h"

#include <utility>

#include "firmware/base/check.h"
#include "firmware/tunnel/difference.h"

namespace sluice::tunnel {

PathLine::PathLine(int number, PathName name, ports::WireGuard& wireguard, const ProberPorts& ports,
                   const PathSettings& settings, LineSink& sink)
    : number_(number),
      name_(std::move(name)),
      interface_(interface_of(number)),
      wireguard_(wireguard),
      clock_(ports.clock),
      log_(ports.log),
      sink_(sink),
      alive_(std::make_shared<bool>(true)),
      prober_(number, settings, ports, sink) {}

PathLine::~PathLine() { *alive_ = false; }

void PathLine::move_to(State state) {
  ENSURE(state != State::changing || state_ == State::reading || state_ == State::settled);
  state_ = state;
}

void PathLine::want(const WantedDevice& device) {
  const bool same = wanted_ && *wanted_ == device;
  wanted_ = device;
  // What failed is not tried at every look: a look follows every failure.
  const bool rests = clock_.now() < retry_at_ && (same || state_ == State::closed);
  if ((same && applied_) || rests) return;
  go_on();
}

void PathLine::want_nothing() {
  if (!wanted_ && state_ == State::closed) return;
  wanted_.reset();
  stop_probing("");
  go_on();
}

void PathLine::go_on() {
  switch (state_) {
    case State::opening:
    case State::reading:
    case State::changing:
    case State::removing:
      again_ = true;
      return;
    case State::closed:
      if (wanted_) open();
      return;
    case State::settled:
      break;
  }
  if (wanted_) return read();
  move_to(State::removing);
  wireguard_.remove(interface_, [this, alive = alive_](const Result<void>& removed) {
    if (!*alive) return;
    applied_.reset();
    peer_.reset();
    move_to(State::closed);
    if (!removed) fail(removed.error());
    sink_.on_line_changed(number_);
    if (std::exchange(again_, false)) go_on();
  });
}

void PathLine::open() {
  move_to(State::opening);
  endpoint_due_ = port_due_ = false;
  wireguard_.open(interface_, [this, alive = alive_](const Result<void>& opened) {
    if (*alive) on_open(opened);
  });
}

void PathLine::on_open(const Result<void>& opened) {
  if (!opened) {
    move_to(State::closed);
    again_ = false;
    return fail(opened.error());
  }
  trouble_.clear();
  data_plane_down_ = false;
  move_to(State::settled);
  again_ = false;
  sink_.on_line_changed(number_);
  go_on();
}

void PathLine::read() {
  move_to(State::reading);
  wireguard_.read(interface_, [this, alive = alive_](const Result<ports::WgState>& state) {
    if (*alive) on_state(state);
  });
}

void PathLine::on_state(const Result<ports::WgState>& state) {
  move_to(State::settled);
  const bool again = std::exchange(again_, false);
  if (!state) {
    const bool stood = applied_.has_value();
    applied_.reset();
    fail(state.error());
    if (state.error().kind != ErrorKind::gone) return;
    // Gone behind our back: it is made anew, the first time at once.
    move_to(State::closed);
    peer_.reset();
    if (stood) retry_at_ = clock_.now();
    return;
  }
  if (std::exchange(listen_port_, state->listen_port) != state->listen_port) {
    sink_.on_line_changed(number_);
  }
  peer_.reset();
  for (const ports::WgPeerState& peer : state->peers) {
    if (wanted_ && peer.public_key == wanted_->peer) peer_ = peer;
  }
  if (!wanted_ || data_plane_down_) return again ? go_on() : void();
  const WantedDevice device = *wanted_;
  std::optional<ports::WgChange> change =
      wg_difference(device, *state, applied_ ? &*applied_ : nullptr);
  if (!change) {
    const bool first = !applied_;
    applied_ = device;
    trouble_.clear();
    if (first) sink_.on_line_changed(number_);
    return again ? go_on() : set_anew();
  }
  again_ = again;
  move_to(State::changing);
  wireguard_.change(std::move(*change), [this, device, alive = alive_](const Result<void>& done) {
    if (*alive) on_changed(done, device);
  });
}

void PathLine::on_changed(const Result<void>& changed, const WantedDevice& device) {
  move_to(State::settled);
  const bool again = std::exchange(again_, false);
  if (!changed) {
    applied_.reset();
    return fail(changed.error());
  }
  trouble_.clear();
  applied_ = device;
  prober_.move_endpoint();
  sink_.on_line_changed(number_);
  again ? go_on() : set_anew();
}

void PathLine::fail(const Error& error) {
  if (error.text != trouble_) log_.warning("tunnel", "{}: {}", name_.text(), error.text);
  trouble_ = error.text;
  retry_at_ = clock_.now() + kRetry;
  sink_.on_line_changed(number_);
}

void PathLine::poll() {
  if (data_plane_down_) return;
  if (state_ == State::settled) return read();
  if (state_ == State::closed && wanted_ && clock_.now() >= retry_at_) open();
}

// A failure is not told as a change of the line: the look that follows one would fail again at
// once.
void PathLine::probe(const ProberSpec& spec, int link) {
  if (probed_ && probed_link_ == link && probed_->same_series(spec)) {
    if (probe_trouble_.empty()) {
      probed_ = spec;
      prober_.set_mtu(spec.mtu);
      return prober_.set_metered(spec.metered);
    }
    if (clock_.now() < probe_again_at_) return;
  }
  probed_ = spec;
  probed_link_ = link;
  const Result<void> started = prober_.start(spec);
  const std::string trouble = started ? "" : started.error().text;
  if (!started) {
    if (trouble != probe_trouble_) log_.warning("tunnel", "{}: {}", name_.text(), trouble);
    probe_again_at_ = clock_.now() + kRetry;
    prober_.stop(trouble);
  }
  probe_trouble_ = trouble;
}

void PathLine::stop_probing(std::string trouble) {
  probed_.reset();
  prober_.stop(std::move(trouble));
}

void PathLine::endpoint_again() {
  const bool is_open =
      state_ == State::settled || state_ == State::reading || state_ == State::changing;
  if (!wanted_ || !is_open) return;
  endpoint_due_ = true;
  set_anew();
}

void PathLine::take_new_port() {
  if (!applied_) return;
  port_due_ = true;
  set_anew();
}

// What is set again though nothing else is wanted; after what was wanted meanwhile, which must not
// be undone by it.
void PathLine::set_anew() {
  if (state_ != State::settled || !applied_ || !wanted_) return;
  std::optional<ports::WgChange> change;
  if (std::exchange(endpoint_due_, false)) change = tunnel::endpoint_again(*wanted_);
  const bool port = std::exchange(port_due_, false);
  if (!change && !port) return;
  if (!change) change.emplace().interface = interface_;
  if (port) change->listen_port = uint16_t{0};
  move_to(State::changing);
  wireguard_.change(std::move(*change), [this, port, alive = alive_](const Result<void>& done) {
    if (*alive) on_set_anew(done, port);
  });
}

// A new port is read at once: the shim takes what comes from another for a stranger's.
void PathLine::on_set_anew(const Result<void>& done, bool port) {
  move_to(State::settled);
  if (!done) {
    fail(done.error());
  } else {
    prober_.move_endpoint();
  }
  const bool again = std::exchange(again_, false);
  if (again) return go_on();
  if (done && port) return read();
  set_anew();
}

void PathLine::data_plane_lost() {
  data_plane_down_ = true;
  endpoint_due_ = port_due_ = false;  // the next has none of the old
  applied_.reset();
  prober_.lose(DeathCause::data_plane_lost);
}

void PathLine::data_plane_back() {
  data_plane_down_ = false;
  applied_.reset();
  prober_.regain();
  if (state_ == State::settled && wanted_) return read();
  again_ = true;
}

}  // namespace sluice::tunnel
