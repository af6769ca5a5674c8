#include "tests/testbed/fast_load.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::testbed {

namespace {

constexpr std::size_t kReadSize = 64 * 1024;
constexpr Micros kSilenceLook = kSecond / 4;

}  // namespace

void FastUser::ask(Micros due) {
  due_ = due;
  heard_ = load_.poller().now();
  counted_ = load_.counts(due);
  waits_ = true;
  sent_ = 0;
  scan_ = AnswerScan();
  if (fd_ < 0 && !connect()) return fail(std::strerror(errno));
  send();
}

bool FastUser::connect() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return false;
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const sockaddr_in& target = load_.options().target;
  const int result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&target), sizeof(target));
  if (result != 0 && errno != EINPROGRESS) return false;
  load_.poller().watch(fd_, EPOLLIN, *this);
  return true;
}

void FastUser::disconnect() {
  if (fd_ < 0) return;
  load_.poller().forget(fd_);
  ::close(fd_);
  fd_ = -1;
}

void FastUser::send() {
  const std::string& request = load_.options().request;
  const ssize_t count = ::send(fd_, request.data() + sent_, request.size() - sent_, MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINPROGRESS) return fail(std::strerror(errno));
  if (count > 0) sent_ += static_cast<std::size_t>(count);
  const bool all = sent_ == request.size();
  if (!all || count < 0) load_.poller().change(fd_, all ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void FastUser::on_ready(std::uint32_t epoll_events) {
  if ((epoll_events & EPOLLOUT) != 0 && waits_) {
    send();
    if (waits_ && sent_ == load_.options().request.size()) load_.poller().change(fd_, EPOLLIN);
  }
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && fd_ >= 0) receive();
}

void FastUser::receive() {
  char buffer[kReadSize];
  const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    if (waits_) return fail(count == 0 ? "closed before the end" : std::strerror(errno));
    return disconnect();
  }
  if (!waits_) return disconnect();  // nothing was asked
  take({buffer, static_cast<std::size_t>(count)});
}

void FastUser::take(std::string_view bytes) {
  const std::uint64_t before = scan_.events();
  const std::size_t used = scan_.feed(bytes);
  const Micros now = load_.poller().now();
  FastLoadReport& books = load_.books();
  if (scan_.events() > before) {
    if (before == 0) {
      load_.on_first_event();
      if (counted_) books.first_event_us.push_back(static_cast<float>(now - due_));
    } else if (counted_ && books.gap_us.size() < FastLoad::kGapsMax) {
      books.gap_us.push_back(static_cast<float>(now - heard_));
    }
    if (counted_) books.events += scan_.events() - before;
  }
  heard_ = now;
  if (scan_.broken() || used < bytes.size()) return fail("malformed answer");
  if (scan_.done()) finish();
}

void FastUser::finish() {
  const FastLoadOptions& options = load_.options();
  if (scan_.status() != 200) return fail(fmt::format("status {}", scan_.status()));
  if (options.events > 0 && scan_.events() != options.events) {
    return fail(fmt::format("{} events for {}", scan_.events(), options.events));
  }
  if (scan_.body_bytes() < options.bytes) {
    return fail(fmt::format("a body of {} bytes for {}", scan_.body_bytes(), options.bytes));
  }
  if (counted_) {
    ++load_.books().ok;
    load_.books().whole_us.push_back(static_cast<float>(load_.poller().now() - due_));
  }
  if (scan_.closes()) disconnect();
  waits_ = false;
  load_.on_end(*this, 0);
}

void FastUser::fail(const std::string& why) {
  disconnect();
  FastLoadReport& books = load_.books();
  ++books.failed;
  if (books.first_failure.empty()) books.first_failure = why;
  waits_ = false;
  load_.on_end(*this, FastLoad::kRestAfterFailure);
}

FastLoad::FastLoad(Poller& poller, FastLoadOptions options)
    : poller_(poller), options_(std::move(options)), chance_(options_.seed) {}

void FastLoad::begin() {
  begun_ = poller_.now();
  count_from_ = begun_ + from_seconds(options_.warmup_s);
  last_end_ = count_from_;
  if (options_.rate > 0) {
    arrive(begun_);
  } else {
    for (int i = 0; i < options_.concurrency; ++i) {
      users_.push_back(std::make_unique<FastUser>(*this));
      FastUser* const user = users_.back().get();
      const Micros when = begun_ + from_seconds(options_.ramp_s * i / options_.concurrency);
      poller_.call_at(when, [this, user, when] { start(*user, when); });
    }
  }
  poller_.call_at(begun_ + kSilenceLook, [this] { look_for_silence(); });
}

bool FastLoad::may_start() {
  const bool late = options_.duration_s > 0 && elapsed_s() > options_.duration_s;
  const bool enough = options_.requests > 0 && started_ >= options_.requests;
  if (late || enough || gave_up()) stopped_ = true;
  return !stopped_;
}

void FastLoad::start(FastUser& user, Micros due) {
  if (!may_start()) return;
  ++started_;
  ++open_;
  user.ask(due);
}

void FastLoad::arrive(Micros due) {
  if (!may_start()) return;
  if (idle_.empty() && users_.size() < options_.connections_max) {
    users_.push_back(std::make_unique<FastUser>(*this));
    idle_.push_back(users_.back().get());
  }
  if (idle_.empty()) {
    ++report_.failed;
    report_.first_failure = "too many open requests";
  } else {
    FastUser* const user = idle_.back();
    idle_.pop_back();
    start(*user, due);
  }
  std::exponential_distribution<double> gap(options_.rate);
  const Micros next = due + from_seconds(gap(chance_));
  poller_.call_at(next, [this, next] { arrive(next); });
}

void FastLoad::on_first_event() {
  if (++begun_streams_ == options_.concurrency && on_all_begun_) on_all_begun_();
}

void FastLoad::on_end(FastUser& user, Micros rest) {
  --open_;
  last_end_ = poller_.now();
  if (options_.rate > 0) {
    idle_.push_back(&user);
  } else {
    const Micros when = last_end_ + rest;
    poller_.call_at(when, [this, &user, when] { start(user, when); });
  }
}

void FastLoad::look_for_silence() {
  const Micros since = poller_.now() - from_seconds(options_.timeout_s);
  for (const auto& user : users_) {
    if (user->waits() && user->heard() < since) user->fail("silence");
  }
  may_start();
  if (!finished()) poller_.call_at(poller_.now() + kSilenceLook, [this] { look_for_silence(); });
}

}  // namespace sluice::testbed
