#include "firmware/tunnel/where_asks.h"

#include <algorithm>

#include "firmware/base/check.h"

namespace sluice::tunnel {

struct WhereAsks::Ear final : ports::DatagramSink {
  Ear(WhereAsks& of, size_t place) : asks(of), number(place) {}
  void on_datagram(const IpEndpoint& from, std::string_view bytes, Instant received) override {
    asks.hear(number, from, bytes, received);
  }
  void on_undelivered(const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                      const Error& error) override {
    asks.hear_trouble(number, to, by, hops_ended, error);
  }
  WhereAsks& asks;
  const size_t number;
  std::unique_ptr<ports::DatagramSocket> socket;
};

WhereAsks::WhereAsks(const ports::Clock& clock, ports::Timers& timers, ports::Random& random,
                     ports::Datagrams& datagrams, ProbeIdentity identity, WhereSink& sink)
    : clock_(clock),
      datagrams_(datagrams),
      identity_(std::move(identity)),
      sink_(sink),
      start_(random.next()),
      wake_(timers.make([this] { wake(); })) {}

WhereAsks::~WhereAsks() = default;

Result<size_t> WhereAsks::open(const ports::DatagramSpec& spec) {
  if (ears_.size() >= kWhereSocketsMax) {
    return Error{ErrorKind::busy, "where", "too many sockets of one check"};
  }
  auto ear = std::make_unique<Ear>(*this, ears_.size());
  Result<std::unique_ptr<ports::DatagramSocket>> socket = datagrams_.open(spec, *ear);
  if (!socket) return socket.error();
  ear->socket = std::move(*socket);
  ears_.push_back(std::move(ear));
  return ears_.size() - 1;
}

std::optional<size_t> WhereAsks::ask(size_t socket, const IpEndpoint& to, size_t size, int tries) {
  ENSURE(socket < ears_.size() && tries <= kWhereTries);
  if (questions_.size() >= kWhereQuestionsMax) return std::nullopt;
  Question question;
  question.socket = socket;
  question.to = to;
  question.size = size;
  question.tries = tries;
  question.first = clock_.now();
  questions_.push_back(std::move(question));
  ++open_;
  send(questions_.size() - 1);
  plan();
  return questions_.size() - 1;
}

void WhereAsks::drop(size_t question) {
  if (questions_[question].state != Question::State::over) --open_;
  questions_[question].state = Question::State::over;
}

// A full buffer passes; anything else that the system refuses, it will refuse again.
void WhereAsks::send(size_t number) {
  Question& question = questions_[number];
  ProbePacket packet;
  packet.kind = ProbeKind::where;
  packet.box = identity_.box;
  packet.instance = identity_.instance;
  packet.sequence = number + 1;
  packet.start = start_;
  packet.sent = clock_.now();
  const Result<void> sent = ears_[question.socket]->socket->send(
      question.to, encode_probe(packet, question.size, identity_.key));
  const int doubled = 1 << question.answer.tries;
  ++question.answer.tries;
  question.due = question.answer.tries < question.tries ? clock_.now() + kWhereWait * doubled
                                                        : question.first + kWhereGiveUp;
  if (sent || sent.error().kind == ErrorKind::busy) return;
  question.answer.trouble = sent.error().text;
  settle(question);
}

// The sink hears of it in the next turn.
void WhereAsks::settle(Question& question) {
  question.state = Question::State::settled;
  question.due = clock_.now();
}

void WhereAsks::hear(size_t socket, const IpEndpoint& from, std::string_view bytes,
                     Instant received) {
  const Result<ProbePacket> packet = decode_probe(bytes, identity_.key);
  if (!packet || packet->kind != ProbeKind::where_answer || packet->box != identity_.box ||
      packet->start != start_ || packet->sequence == 0 || packet->sequence > questions_.size() ||
      received < packet->sent) {
    return;
  }
  Question& question = questions_[packet->sequence - 1];
  if (question.state != Question::State::asking || question.socket != socket ||
      question.to != from || question.size != bytes.size()) {
    return;
  }
  question.answer.answered = true;
  question.answer.round_trip = received - packet->sent;
  question.answer.received = received;
  question.answer.packet = *packet;
  question.answer.trouble.clear();
  settle(question);
  plan();
}

// That a packet was not delivered is hearsay: anybody can send such a message. It ends a question
// only where it is what was asked for.
void WhereAsks::hear_trouble(size_t socket, const IpEndpoint& to, const IpAddress& by,
                             bool hops_ended, const Error& error) {
  for (Question& question : questions_) {
    if (question.state != Question::State::asking || question.socket != socket ||
        question.to != to) {
      continue;
    }
    question.answer.trouble = by.is_unspecified() ? error.text : by.text() + ": " + error.text;
    if (!hops_ended) continue;
    question.answer.ended_by = by;
    settle(question);
  }
  plan();
}

void WhereAsks::wake() {
  const Instant now = clock_.now();
  std::vector<size_t> told;
  for (size_t i = 0; i < questions_.size(); ++i) {
    Question& question = questions_[i];
    if (question.state == Question::State::over || question.due > now) continue;
    if (question.state == Question::State::asking && question.answer.tries < question.tries) {
      send(i);
      continue;
    }
    question.state = Question::State::over;
    told.push_back(i);
  }
  plan();
  for (const size_t question : told) {
    --open_;
    sink_.on_where_settled(question);
  }
}

void WhereAsks::plan() {
  std::optional<Instant> next;
  for (const Question& question : questions_) {
    if (question.state == Question::State::over) continue;
    next = next ? std::min(*next, question.due) : question.due;
  }
  wake_->stop();
  if (next) wake_->start(std::max(*next - clock_.now(), Duration()));
}

}  // namespace sluice::tunnel
