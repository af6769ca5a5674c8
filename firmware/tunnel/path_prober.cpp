#include "firmware/tunnel/path_prober.h"

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

// Waking later than this, the loop was held up: answers may wait in the sockets.
constexpr Duration kLate = Duration::ms(5);

size_t header_bytes(const IpAddress& address) {
  return address.family == IpAddress::Family::v4 ? 28 : 48;  // IP and UDP
}

}  // namespace

bool ProberSpec::same_series(const ProberSpec& other) const {
  ProberSpec like = other;
  like.mtu = mtu;
  like.metered = metered;
  return *this == like;
}

PathProber::PathProber(int number, const PathSettings& settings, const ProberPorts& ports,
                       ProberSink& sink)
    : number_(number),
      clock_(ports.clock),
      datagrams_(ports.datagrams),
      random_(ports.random),
      sink_(sink),
      wake_(ports.timers.make([this] { on_wake(); })),
      tell_(ports.timers.make([this] { sink_.on_path_changed(number_); })),
      health_(settings),
      sizes_(settings) {}

PathProber::~PathProber() = default;

void PathProber::move_to(State state) {
  ENSURE(state != State::waiting || state_ != State::stopped);
  state_ = state;
}

Result<std::unique_ptr<ports::DatagramSocket>> PathProber::open(TrafficClass traffic) {
  const bool bulk = traffic == TrafficClass::bulk;
  ports::DatagramSpec spec;
  spec.family = spec_.pop.address.family;
  spec.way.interface = spec_.interface;
  spec.way.source = spec_.source;
  spec.way.mark = bulk ? mark_of(traffic) : 0;
  spec.way.dscp = bulk ? kDscpBulk : kDscpProbe;
  spec.never_fragment = true;
  return datagrams_.open(spec, *this);
}

Result<void> PathProber::start(ProberSpec spec) {
  stop("");
  if (spec.key.size() != kProbeKeyBytes) {
    return Error{ErrorKind::refused, "tunnel", "the probe key has not 32 bytes: join again"};
  }
  spec_ = std::move(spec);
  auto interactive = open(TrafficClass::interactive);
  if (!interactive) return interactive.error();
  auto bulk = open(TrafficClass::bulk);
  if (!bulk) return bulk.error();
  interactive_ = std::move(*interactive);
  bulk_ = std::move(*bulk);
  start_ = random_.next();
  told_.reset();
  send_trouble_.clear();
  health_.set_metered(spec_.metered);
  sizes_.set_metered(spec_.metered);
  health_.bring_up(clock_.now());
  sizes_.restart(clock_.now(), spec_.mtu);
  move_to(State::asking);
  act();
  return {};
}

void PathProber::stop(std::string trouble) {
  move_to(State::stopped);
  interactive_.reset();
  bulk_.reset();
  wake_->stop();
  health_.take_down(clock_.now(), std::move(trouble));
  tell_of_changes();
}

void PathProber::lose(DeathCause cause) {
  if (state_ == State::stopped) return;
  move_to(State::waiting);
  wake_->stop();
  health_.lose(clock_.now(), cause);
  tell_of_changes();
}

void PathProber::regain() {
  if (state_ != State::waiting) return;
  move_to(State::asking);
  health_.regain(clock_.now());
  sizes_.check(clock_.now());
  act();
}

void PathProber::move_endpoint() {
  if (state_ != State::asking) return;
  health_.move_endpoint(clock_.now());
  sizes_.check(clock_.now());
  act();
}

void PathProber::set_carrying(bool interactive, bool bulk) {
  const bool more = (interactive && !carries_interactive_) || (bulk && !carries_bulk_);
  carries_interactive_ = interactive;
  carries_bulk_ = bulk;
  const bool changed = health_.set_carrying(clock_.now(), interactive || bulk);
  if (state_ != State::asking) return;
  if (more) health_.ask_soon(clock_.now());
  if (more || changed) act();
}

void PathProber::set_mtu(int mtu) {
  if (mtu == spec_.mtu) return;
  spec_.mtu = mtu;
  sizes_.restart(clock_.now(), mtu);
  if (state_ == State::asking) act();
}

void PathProber::set_metered(bool metered) {
  if (metered == spec_.metered) return;
  spec_.metered = metered;
  health_.set_metered(metered);
  sizes_.set_metered(metered);
  ask_now();  // and from then on at the other pace
}

void PathProber::set_settings(const PathSettings& settings) {
  health_.set(settings);
  sizes_.set(settings);
  if (state_ == State::asking) act();
}

void PathProber::ask_now() {
  if (state_ != State::asking) return;
  health_.ask_soon(clock_.now());
  act();
}

// A loop that was held up must not take its own delay for the path's: what came meanwhile is read
// first. (Timers that are started by a timer fire after the sockets were read.)
void PathProber::on_wake() {
  if (clock_.now() > due_ + kLate && !gave_a_turn_) {
    gave_a_turn_ = true;
    return wake_->start(Duration());
  }
  gave_a_turn_ = false;
  act();
}

void PathProber::act() {
  const Instant now = clock_.now();
  sizes_.expire(now, health_.proof());
  PathHealth::Next next = health_.next(now);
  for (; next.ask || next.ask_bulk; next = health_.next(now)) {
    // A packet that could not be sent is a packet lost: the detector decides what it means.
    Result<void> sent;
    if (next.ask) sent = send(TrafficClass::interactive, health_.ask(now), kProbeBytesMin);
    if (next.ask_bulk) {
      const Result<void> bulk = send(TrafficClass::bulk, health_.ask_bulk(now), kProbeBytesMin);
      if (sent) sent = bulk;
    }
    send_trouble_ = sent ? "" : sent.error().text;
  }
  ask_size(now);
  const bool steady = health_.alive() && health_.state() != PathState::suspect;
  if (const auto size_due = sizes_.wake(); size_due && steady && next.wake) {
    next.wake = std::min(*next.wake, *size_due);
  }
  tell_of_changes();
  if (!next.wake) return wake_->stop();
  due_ = std::max(*next.wake, now);
  wake_->start(due_ - now);
}

// Only of a path that answers small questions: a size that is lost on another says nothing.
void PathProber::ask_size(Instant now) {
  if (!health_.alive() || health_.state() == PathState::suspect) return;
  const std::optional<int> size = sizes_.due(now);
  if (!size) return;
  const Duration wait = health_.size_wait(now);
  const uint64_t sequence = health_.ask_size(now, wait);
  const size_t bytes = static_cast<size_t>(*size) - header_bytes(spec_.pop.address);
  const Result<void> sent = send(TrafficClass::interactive, sequence, bytes);
  if (!sent && sent.error().kind == ErrorKind::refused) return sizes_.refuse(now);
  sizes_.asked(now, sequence, wait);
}

Result<void> PathProber::send(TrafficClass traffic, uint64_t sequence, size_t size) {
  ProbePacket packet;
  packet.kind = ProbeKind::echo;
  packet.traffic = traffic;
  packet.lane = spec_.lane;
  packet.box = spec_.box;
  packet.instance = spec_.instance;
  packet.sequence = sequence;
  packet.start = start_;
  packet.sent = clock_.now();
  packet.carries_interactive = carries_interactive_;
  packet.carries_bulk = carries_bulk_;
  ports::DatagramSocket& socket = traffic == TrafficClass::bulk ? *bulk_ : *interactive_;
  return socket.send(spec_.pop, encode_probe(packet, size, spec_.key));
}

bool PathProber::is_ours(const ProbePacket& packet) const {
  return packet.kind == ProbeKind::echo_answer && packet.box == spec_.box &&
         packet.lane == spec_.lane && packet.start == start_;
}

void PathProber::on_datagram(const IpEndpoint&, std::string_view bytes, Instant received) {
  if (state_ == State::stopped) return;
  const Result<ProbePacket> packet = decode_probe(bytes, spec_.key);
  if (!packet || !is_ours(*packet)) {
    ++strange_;
    return;
  }
  const auto answer = health_.answer(received, packet->traffic, packet->sequence, packet->seen);
  if (!answer) return;
  if (answer->question == Question::size) sizes_.answer(clock_.now(), packet->sequence);
  const Told before = told_.value_or(Told());
  told_ = Told{received,
               answer->rtt,
               packet->date,
               packet->identity_elsewhere,
               packet->pop_stopping,
               packet->seen_source};
  if (before.identity_elsewhere != told_->identity_elsewhere ||
      before.pop_stopping != told_->pop_stopping || before.seen_source != told_->seen_source) {
    tell_->start(Duration());
  }
  if (state_ == State::asking) act();
}

void PathProber::on_undelivered(const IpEndpoint&, const IpAddress&, bool, const Error& error) {
  send_trouble_ = error.text;
}

void PathProber::tell_of_changes() {
  const bool size = std::exchange(mtu_told_, sizes_.mtu()) != sizes_.mtu();
  if (health_.take_changed() || size) tell_->start(Duration());
}

void PathProber::fill(PathView& view) const {
  view.number = number_;
  health_.fill(view, clock_.now());
  view.mtu = state_ == State::stopped ? 0 : sizes_.mtu();
  view.pop_stopping = told_ && told_->pop_stopping;
}

}  // namespace sluice::tunnel
