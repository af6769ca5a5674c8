#include "tests/testbed/fast_engine.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace sluice::testbed {

namespace {

constexpr std::size_t kReadSize = 64 * 1024;

}  // namespace

FastConnection::~FastConnection() {
  engine_.poller().forget(fd_);
  ::close(fd_);
}

void FastConnection::on_ready(std::uint32_t epoll_events) {
  if ((epoll_events & EPOLLOUT) != 0) flush();
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    char buffer[kReadSize];
    const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (count > 0) take({buffer, static_cast<std::size_t>(count)});
    if (count == 0 || (count < 0 && errno != EAGAIN)) closing_ = true;
  }
  if (closing_) close();
}

void FastConnection::take(std::string_view bytes) {
  unread_.append(bytes);
  while (!unread_.empty() && left_ == 0 && !closing_) {
    unread_.erase(0, reader_.feed(unread_));
    if (reader_.broken()) closing_ = true;
    if (!reader_.done()) return;
    answer();
    reader_ = HttpReader(HttpReader::Role::request);
  }
}

void FastConnection::answer() {
  FastAnswers& answers = engine_.answers();
  if (reader_.method() == "POST" && reader_.target().ends_with("/chat/completions")) {
    const FastAsk ask = FastAsk::of(reader_.body());
    if (ask.stream) return begin_stream(ask);
    return send(answers.whole(ask.tokens));
  }
  if (reader_.target().ends_with("/models")) return send(answers.models());
  send(reader_.target() == "/health" ? answers.healthy() : answers.missing());
}

void FastConnection::begin_stream(const FastAsk& ask) {
  FastAnswers& answers = engine_.answers();
  const int at_once = ask.interval_us == 0 ? ask.tokens : std::min(1, ask.tokens);
  std::string first = answers.stream_head();
  for (int i = 0; i < at_once; ++i) first += answers.token();
  ask_ = ask;
  left_ = ask.tokens - at_once;
  if (left_ == 0) first += answers.end(ask);
  send(first);
  if (left_ > 0) engine_.wake(id_, ask.interval_us);
}

void FastConnection::on_tick() {
  --left_;
  if (left_ > 0) {
    send(engine_.answers().token());
    engine_.wake(id_, ask_.interval_us);
  } else {
    send(engine_.answers().token() + engine_.answers().end(ask_));
    take({});
  }
  if (closing_) close();
}

void FastConnection::send(std::string_view bytes) {
  if (unsent_.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) closing_ = true;
    bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    if (bytes.empty() || closing_) return;
    engine_.poller().change(fd_, EPOLLIN | EPOLLOUT);
  }
  unsent_.append(bytes);
}

void FastConnection::flush() {
  const ssize_t count = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN) closing_ = true;
  unsent_.erase(0, static_cast<std::size_t>(std::max<ssize_t>(0, count)));
  if (unsent_.empty()) engine_.poller().change(fd_, EPOLLIN);
}

void FastConnection::close() { engine_.close(*this); }

void FastEngine::on_accept(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const std::uint64_t id = ++last_id_;
  auto& connection = connections_[id] = std::make_unique<FastConnection>(*this, id, fd);
  poller_.watch(fd, EPOLLIN, *connection);
}

void FastEngine::wake(std::uint64_t connection, int after_us) {
  const Micros now_tick = poller_.now() / kTick;
  if (waiting_ == 0) tick_ = now_tick;
  const Micros ticks = std::clamp<Micros>(after_us / kTick, 1, kSlots - 1);
  wheel_[static_cast<std::size_t>(now_tick + ticks) % kSlots].push_back(connection);
  if (waiting_++ == 0) poller_.call_at((tick_ + 1) * kTick, [this] { turn(); });
}

void FastEngine::turn() {
  const Micros now_tick = poller_.now() / kTick;
  while (tick_ < now_tick) {
    ++tick_;
    auto due = std::move(wheel_[static_cast<std::size_t>(tick_) % kSlots]);
    wheel_[static_cast<std::size_t>(tick_) % kSlots].clear();
    for (const std::uint64_t id : due) {
      const auto found = connections_.find(id);
      if (found != connections_.end()) found->second->on_tick();
    }
    waiting_ -= due.size();
  }
  if (waiting_ > 0) poller_.call_at((tick_ + 1) * kTick, [this] { turn(); });
}

}  // namespace sluice::testbed
