#include "firmware/tunnel/shim_ask.h"

#include "firmware/base/check.h"

namespace sluice::tunnel {

ShimAsk::ShimAsk(const ports::Clock& clock, ports::Timers& timers, ports::Random& random,
                 ports::Dialer& dialer, ProbeIdentity identity, ShimAskSink& sink)
    : clock_(clock),
      dialer_(dialer),
      identity_(std::move(identity)),
      sink_(sink),
      wake_(timers.make([this] { wake(); })) {
  hello_.kind = ProbeKind::hello;
  hello_.box = identity_.box;
  hello_.instance = identity_.instance;
  hello_.sequence = 1;
  hello_.start = random.next();
}

ShimAsk::~ShimAsk() = default;

void ShimAsk::start(const ports::Address& pop) {
  move_to(State::dialing);
  wake_->start(kShimAskMax);
  dial_ = dialer_.dial(pop, kShimAskMax, *this);
}

void ShimAsk::on_dial_failed(const Error& error) {
  if (state_ == State::dialing) settle(error.text);
}

void ShimAsk::on_connected(std::unique_ptr<ports::ByteStream> stream) {
  if (state_ != State::dialing) return;
  move_to(State::greeting);
  finding_.connected = true;
  stream_ = std::move(stream);
  hello_.sent = clock_.now();
  stream_->start(*this);
  stream_->write(shim_frame(encode_probe(hello_, kProbeBytesMin, identity_.key)));
}

void ShimAsk::on_bytes(std::string_view bytes) {
  if (state_ != State::greeting) return;
  reader_.feed(bytes);
  const std::optional<std::string_view> frame = reader_.next();
  if (!frame && !reader_.is_broken()) return;
  const Result<ProbePacket> answer = decode_probe(frame.value_or(""), identity_.key);
  finding_.answered = answer && answer->kind == ProbeKind::hello_answer &&
                      answer->box == hello_.box && answer->start == hello_.start &&
                      answer->sequence == hello_.sequence;
  finding_.round_trip = clock_.now() - hello_.sent;
  if (finding_.answered) finding_.date = answer->date;
  settle(finding_.answered ? "" : "what answers there is not the PoP");
}

void ShimAsk::on_end() {
  if (state_ == State::greeting) settle("the connection was closed without an answer");
}

void ShimAsk::on_error(const Error& error) {
  if (state_ == State::greeting) settle(error.text);
}

void ShimAsk::wake() {
  if (state_ != State::telling) return settle("no answer in time");
  move_to(State::over);
  dial_.reset();
  stream_.reset();
  const ShimAskFinding finding = finding_;  // the sink may destroy this
  sink_.on_shim_asked(finding);
}

void ShimAsk::settle(std::string trouble) {
  move_to(State::telling);
  finding_.trouble = std::move(trouble);
  wake_->start(Duration());
}

void ShimAsk::move_to(State next) {
  ENSURE((next == State::dialing && state_ == State::waiting) ||
         (next == State::greeting && state_ == State::dialing) ||
         (next == State::telling && (state_ == State::dialing || state_ == State::greeting)) ||
         (next == State::over && state_ == State::telling));
  state_ = next;
}

}  // namespace sluice::tunnel
