#include "firmware/tunnel/shim.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

constexpr Duration kTick = Duration::seconds(1);

// The WireGuard protocol's first message, by its type and size (whitepaper, 5.4.2).
bool is_initiation(std::string_view datagram) {
  return datagram.size() == 148 && datagram.starts_with(std::string_view("\1\0\0\0", 4));
}

IpAddress here() { return {IpAddress::Family::v4, {127, 0, 0, 1}}; }

Error gone(std::string text) { return {ErrorKind::gone, "tcp443", std::move(text)}; }

}  // namespace

Shim::Shim(const ShimPorts& ports, ShimSpec spec, ShimSink& sink)
    : ports_(ports),
      spec_(std::move(spec)),
      sink_(sink),
      wait_(ports.timers.make([this] { wait_over(); })),
      tick_(ports.timers.make([this] { tick(); })),
      tell_(ports.timers.make([this] { tell(); })) {}

Shim::~Shim() = default;

Result<void> Shim::open() {
  ENSURE(state_ == State::closed);
  ports::DatagramSpec spec;
  spec.way.source = here();
  Result<std::unique_ptr<ports::DatagramSocket>> socket = ports_.datagrams.open(spec, *this);
  if (!socket) return socket.error();
  socket_ = std::move(*socket);
  dial();
  return {};
}

IpEndpoint Shim::local() const {
  ENSURE(socket_ != nullptr);
  return socket_->local();
}

void Shim::set_wireguard_port(uint16_t port) {
  wireguard_.reset();
  if (port != 0) wireguard_ = IpEndpoint{here(), port};
}

void Shim::redial() {
  if (state_ == State::closed) return;
  rest_ = kShimRetryMin;
  if (state_ != State::resting) {
    fall(gone("connecting anew, since the way there changed"));
  }
  dial();
}

void Shim::move_to(State next) {
  const bool allowed =
      (next == State::dialing && (state_ == State::closed || state_ == State::resting)) ||
      (next == State::greeting && state_ == State::dialing) ||
      (next == State::up && state_ == State::greeting) ||
      (next == State::resting &&
       (state_ == State::dialing || state_ == State::greeting || state_ == State::up));
  ENSURE(allowed);
  state_ = next;
  since_ = ports_.clock.now();
}

void Shim::dial() {
  move_to(State::dialing);
  wait_->stop();
  dial_ = ports_.dialer.dial({spec_.host, spec_.tcp_port, ""}, kShimDialMax, *this);
}

void Shim::on_dial_failed(const Error& error) { fall(error); }

void Shim::on_connected(std::unique_ptr<ports::ByteStream> stream) {
  if (state_ != State::dialing) return;
  move_to(State::greeting);
  stream_ = std::move(stream);
  reader_ = ShimReader();
  hello_.kind = ProbeKind::hello;
  hello_.lane = spec_.lane;
  hello_.box = spec_.identity.box;
  hello_.instance = spec_.identity.instance;
  hello_.sequence += 1;
  if (hello_.start == 0) hello_.start = ports_.random.next();
  hello_.sent = ports_.clock.now();
  stream_->start(*this);
  stream_->write(shim_frame(encode_probe(hello_, kProbeBytesMin, spec_.identity.key)));
  wait_->start(kShimHelloMax);
}

void Shim::wait_over() {
  if (state_ == State::resting) return dial();
  ENSURE(state_ == State::greeting);
  fall(
      gone("it took the connection and did not answer: something on the way lets TCP in and "
           "nothing through, or the PoP does not know this box"));
}

void Shim::answered(std::string_view frame) {
  const Result<ProbePacket> answer = decode_probe(frame, spec_.identity.key);
  const bool ours = answer && answer->kind == ProbeKind::hello_answer &&
                    answer->lane == hello_.lane && answer->box == hello_.box &&
                    answer->start == hello_.start && answer->sequence == hello_.sequence;
  if (!ours) {
    return fall(gone("what answers there is not the PoP: its answer carries no proof of the key"));
  }
  move_to(State::up);
  wait_->stop();
  const Instant now = ports_.clock.now();
  round_trip_ = now - hello_.sent;
  told_ = Told{answer->date, now, *round_trip_};
  queue_.restart(now, *round_trip_);
  heard_ = now;
  spoke_ = now;
  trouble_.reset();
  ++counters_.connections;
  tick_->start(kTick);
  tell_->start(Duration());
  if (!initiation_.empty() && now - initiation_at_ < kShimInitiationMax) {
    say(shim_frame(initiation_));
    ++counters_.to_pop;
  }
  initiation_.clear();
}

void Shim::on_bytes(std::string_view bytes) {
  heard_ = ports_.clock.now();
  reader_.feed(bytes);
  while (stream_ != nullptr) {
    const std::optional<std::string_view> frame = reader_.next();
    if (!frame) break;
    if (state_ == State::greeting) {
      answered(*frame);
    } else {
      forward(*frame);
    }
  }
  if (stream_ != nullptr && reader_.is_broken()) {
    fall(gone("bytes came that are none of the PoP's: something on the way changes them"));
  }
}

void Shim::forward(std::string_view frame) {
  if (frame.empty()) return;
  if (!wireguard_ || !socket_->send(*wireguard_, frame)) {
    ++counters_.dropped_here;
    return;
  }
  ++counters_.from_pop;
}

void Shim::on_datagram(const IpEndpoint& from, std::string_view bytes, Instant) {
  const bool known = !wireguard_ || from == *wireguard_;
  if (from.address != here() || !known || bytes.empty()) {
    ++counters_.strangers;
    return;
  }
  wireguard_ = from;
  if (state_ != State::up) {
    if (is_initiation(bytes)) {
      initiation_ = bytes;
      initiation_at_ = ports_.clock.now();
    } else {
      ++counters_.dropped_down;
    }
    return;
  }
  const size_t untaken = stream_->untaken_bytes();
  queue_.look(ports_.clock.now(), untaken);
  if (!queue_.takes(untaken, kShimLengthBytes + bytes.size())) {
    ++counters_.dropped_full;
    return;
  }
  say(shim_frame(bytes));
  ++counters_.to_pop;
}

void Shim::say(std::string_view frame) {
  stream_->write(frame);
  queue_.wrote(frame.size());
  spoke_ = ports_.clock.now();
}

// WireGuard does not listen there yet, or not any more: it will be told the port again.
void Shim::on_undelivered(const IpEndpoint&, const IpAddress&, bool, const Error&) {}

void Shim::on_end() { fall(gone("the PoP closed the connection")); }

void Shim::on_error(const Error& error) { fall(error); }

void Shim::tick() {
  ENSURE(state_ == State::up);
  const Instant now = ports_.clock.now();
  queue_.look(now, stream_->untaken_bytes());
  if (now - heard_ >= kShimSilenceMax) return fall(gone("nothing came from the PoP any more"));
  if (queue_.stalled(now) >= kShimStallMax) {
    return fall(gone("the connection took nothing any more"));
  }
  if (now - spoke_ >= kShimKeepalive) say(kShimKeepaliveFrame);
  tick_->start(kTick);
}

void Shim::fall(const Error& why) {
  if (state_ == State::up && ports_.clock.now() - since_ >= kShimSteady) rest_ = kShimRetryMin;
  move_to(State::resting);
  stream_.reset();
  tick_->stop();
  trouble_ = Error{why.kind, why.where,
                   fmt::format("TCP to {}: {}",
                               ports::Address{spec_.host, spec_.tcp_port, ""}.text(), why.text)};
  wait_->start(rest_time());
  tell_->start(Duration());
}

// Three quarters to five quarters of the rest, so that boxes that lost one PoP do not come back in
// one moment.
Duration Shim::rest_time() {
  const double share = static_cast<double>(ports_.random.next() >> 11) / 9007199254740992.0;
  const Duration time = rest_.scaled(0.75 + 0.5 * share);
  rest_ = std::min(rest_ * 2, kShimRetryMax);
  return time;
}

void Shim::tell() {
  const bool up = is_up();
  if (up == told_up_) return;
  told_up_ = up;
  if (up) {
    sink_.on_shim_up();
  } else {
    sink_.on_shim_down(*trouble_);
  }
}

}  // namespace sluice::tunnel
