#include "tests/testbed/load_exchange.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::testbed {

namespace {

constexpr std::size_t kReadSize = 64 * 1024;

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::http_error:
      return "http_error";
    case Outcome::error_event:
      return "error_event";
    case Outcome::refused:
      return "refused";
    case Outcome::closed:
      return "closed";
    case Outcome::cut:
      return "cut";
    case Outcome::reset:
      return "reset";
    case Outcome::timeout:
      return "timeout";
    case Outcome::aborted:
      return "aborted";
    case Outcome::malformed:
      return "malformed";
    case Outcome::wrong_bytes:
      return "wrong_bytes";
  }
  return "ok";
}

LoadExchange::LoadExchange(Poller& poller, ExchangeOwner& owner, const Target& target,
                           LoadRequest request)
    : poller_(poller),
      owner_(owner),
      target_(target),
      request_(std::move(request)),
      check_(request_.expected) {}

LoadExchange::~LoadExchange() {
  disarm_timers();
  if (fd_ < 0) return;
  poller_.forget(fd_);
  ::close(fd_);
}

void LoadExchange::start(int kept_fd) {
  result_.started = request_.due;
  arm_timers();
  if (kept_fd < 0) return connect();
  fd_ = kept_fd;
  kept_ = connected_ = true;
  poller_.watch(fd_, EPOLLIN | EPOLLOUT, *this);
}

void LoadExchange::connect() {
  const auto* const address = reinterpret_cast<const sockaddr*>(&target_.address);
  fd_ = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || (::connect(fd_, address, target_.address_size) != 0 && errno != EINPROGRESS)) {
    return end(Outcome::refused, "no connection");
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  poller_.watch(fd_, EPOLLIN | EPOLLOUT, *this);
}

void LoadExchange::arm_timers() {
  const Micros now = poller_.now();
  timeout_ = poller_.call_at(now + request_.timeout, [this] { end(Outcome::timeout); });
  if (request_.abort_after >= 0) {
    abort_ = poller_.call_at(now + request_.abort_after, [this] { end(Outcome::aborted); });
  }
}

void LoadExchange::disarm_timers() {
  if (timeout_) poller_.cancel(*timeout_);
  if (abort_) poller_.cancel(*abort_);
}

void LoadExchange::abort() { end(Outcome::aborted, "the run was stopped"); }

void LoadExchange::on_ready(std::uint32_t epoll_events) {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return end(Outcome::refused, "no connection");
    connected_ = true;
  }
  if ((epoll_events & EPOLLOUT) != 0) write_some();
  if (!ended_ && (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
}

void LoadExchange::write_some() {
  const std::string& bytes = request_.bytes;
  while (sent_ < bytes.size()) {
    const ssize_t count = ::send(fd_, bytes.data() + sent_, bytes.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) break;  // what the peer said before it closed is still to be read
    sent_ += static_cast<std::size_t>(count);
  }
  poller_.change(fd_, EPOLLIN);
}

void LoadExchange::read_some() {
  char buffer[kReadSize];
  const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return on_closed(count < 0);
  on_bytes(std::string_view(buffer, static_cast<std::size_t>(count)));
}

void LoadExchange::on_closed(bool by_reset) {
  if (!reader_.started()) {
    if (resend()) return;
    return end(by_reset ? Outcome::reset : Outcome::closed);
  }
  reader_.end_of_input();
  if (reader_.done()) return on_message_end();
  if (check_.verdict() == AnswerCheck::Verdict::error) return judge();
  end(by_reset ? Outcome::reset : Outcome::cut);
}

// A server may close a kept connection while we are about to use it; clients then use a new one.
bool LoadExchange::resend() {
  if (!kept_) return false;
  poller_.forget(fd_);
  ::close(fd_);
  fd_ = -1;
  kept_ = connected_ = false;
  sent_ = 0;
  result_.resent = true;
  connect();
  return true;
}

void LoadExchange::on_bytes(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    bytes.remove_prefix(reader_.feed(bytes));
    if (reader_.broken()) return end(Outcome::malformed, "not HTTP");
    if (reader_.head_done()) on_body(reader_.take_body());
    if (ended_) return;
    if (reader_.done()) {
      if (!bytes.empty()) return end(Outcome::malformed, "bytes after the answer");
      return on_message_end();
    }
  }
}

void LoadExchange::on_body(std::string_view bytes) {
  if (bytes.empty()) return;
  if (reader_.status() != 200 || !request_.stream) {
    whole_.append(bytes);
    return;
  }
  const std::int64_t before = check_.tokens();
  lines_.feed(
      bytes, [this](std::string_view name, std::string_view data) { check_.on_event(name, data); });
  const Micros now = poller_.now();
  if (check_.took_first_text()) result_.first_text = now;
  if (check_.tokens() > before) result_.last_text = now;
  using Verdict = AnswerCheck::Verdict;
  if (check_.verdict() == Verdict::wrong || check_.verdict() == Verdict::malformed) return judge();
  if (lines_.too_long()) return end(Outcome::malformed, "an event without end");
  const bool leave =
      request_.abort_after_tokens >= 0 && check_.tokens() >= request_.abort_after_tokens;
  if (leave && check_.verdict() == Verdict::open) end(Outcome::aborted);
}

void LoadExchange::on_message_end() {
  if (reader_.status() != 200) {
    return end(Outcome::http_error, whole_.substr(0, whole_.size() < 200 ? whole_.size() : 200));
  }
  if (!request_.stream) {
    check_.on_whole(whole_);
  } else if (!reader_.header("content-type").starts_with("text/event-stream")) {
    return end(Outcome::wrong_bytes, "a stream was asked for, the content type is another");
  }
  judge();
}

void LoadExchange::judge() {
  switch (check_.verdict()) {
    case AnswerCheck::Verdict::open:
      return end(Outcome::cut, "the stream ended in good order, but without [DONE]");
    case AnswerCheck::Verdict::complete:
      if (lines_.pending()) return end(Outcome::wrong_bytes, "half an event after [DONE]");
      return end(Outcome::ok);
    case AnswerCheck::Verdict::error:
      return end(Outcome::error_event, check_.why());
    case AnswerCheck::Verdict::malformed:
      return end(Outcome::malformed, check_.why());
    case AnswerCheck::Verdict::wrong:
      return end(Outcome::wrong_bytes, check_.why());
  }
}

void LoadExchange::end(Outcome outcome, std::string why) {
  if (ended_) return;
  ended_ = true;
  disarm_timers();
  result_.outcome = outcome;
  result_.why = std::move(why);
  result_.status = reader_.head_done() ? reader_.status() : 0;
  if (reader_.head_done()) {
    result_.node = std::string(reader_.header("x-sluice-node"));
    result_.request_id = std::string(reader_.header("x-request-id"));
  }
  result_.model = check_.model();
  result_.tokens = check_.tokens();
  result_.comments = lines_.comments();
  result_.ended = poller_.now();
  if (fd_ >= 0) poller_.forget(fd_);
  owner_.on_exchange_end(*this);
}

int LoadExchange::take_connection() {
  const bool usable =
      fd_ >= 0 && reader_.done() && reader_.keeps_alive() && sent_ == request_.bytes.size();
  return usable ? std::exchange(fd_, -1) : -1;
}

}  // namespace sluice::testbed
