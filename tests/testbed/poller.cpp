#include "tests/testbed/poller.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace sluice::testbed {

namespace {

constexpr int kEventsPerTurn = 256;

std::uint64_t tag_of(int fd, std::uint32_t generation) {
  return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(fd);
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Poller::~Poller() { ::close(epoll_); }

void Poller::watch(int fd, std::uint32_t events, Pollable& who) {
  watched_[fd] = Watched{++generation_, &who};
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(fd, generation_);
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Poller::change(int fd, std::uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(fd, found->second.generation);
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Poller::forget(int fd) {
  if (watched_.erase(fd) > 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

Poller::TimerId Poller::call_at(Micros when, std::function<void()> what) {
  const TimerId id{when, ++timer_sequence_};
  timers_.emplace(id, std::move(what));
  return id;
}

Micros Poller::now() const {
  const auto elapsed = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count();
}

void Poller::run_once(std::optional<Micros> until) {
  if (!timers_.empty()) {
    const Micros due = timers_.begin()->first.first;
    until = until ? std::min(*until, due) : due;
  }
  serve_sockets(until);
  serve_timers();
}

void Poller::serve_sockets(std::optional<Micros> until) {
  epoll_event events[kEventsPerTurn];
  timespec wait{};
  if (until) {
    const Micros left = std::max<Micros>(0, *until - now());
    wait.tv_sec = left / kSecond;
    wait.tv_nsec = (left % kSecond) * 1000;
  }
  const int count =
      ::epoll_pwait2(epoll_, events, kEventsPerTurn, until ? &wait : nullptr, nullptr);
  for (int i = 0; i < count; ++i) {
    const int fd = static_cast<int>(events[i].data.u64 & 0xffffffffU);
    const auto generation = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
    const auto found = watched_.find(fd);
    if (found == watched_.end() || found->second.generation != generation) continue;
    found->second.who->on_ready(events[i].events);
  }
}

void Poller::serve_timers() {
  const Micros due = now();
  while (!timers_.empty() && timers_.begin()->first.first <= due) {
    const auto node = timers_.extract(timers_.begin());
    node.mapped()();
  }
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

StopSignals::StopSignals(Poller& poller) : poller_(poller) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  poller_.watch(fd_, EPOLLIN, *this);
}

StopSignals::~StopSignals() {
  poller_.forget(fd_);
  ::close(fd_);
}

void StopSignals::on_ready(std::uint32_t) {
  signalfd_siginfo info;
  while (::read(fd_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) seen_ = true;
}

}  // namespace sluice::testbed
