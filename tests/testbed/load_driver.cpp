#include "tests/testbed/load_driver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/testbed/load_request.h"

namespace sluice::testbed {

std::optional<std::string> resolve(const LoadOptions& options, Target* target) {
  addrinfo wish{};
  wish.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(options.host.c_str(), options.port.c_str(), &wish, &found);
  if (error != 0) return fmt::format("{}: {}", options.host, ::gai_strerror(error));
  std::memcpy(&target->address, found->ai_addr, found->ai_addrlen);
  target->address_size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return std::nullopt;
}

LoadDriver::LoadDriver(Poller& poller, const LoadOptions& options, const Target& target,
                       std::unique_ptr<Arrivals> arrivals)
    : poller_(poller), options_(options), target_(target), arrivals_(std::move(arrivals)) {}

LoadDriver::~LoadDriver() {
  for (const int fd : kept_) ::close(fd);
}

void LoadDriver::begin() {
  begun_ = poller_.now();
  if (arrivals_) {
    next_arrival_ = arrivals_->next();
    start_due_arrivals();
  } else {
    start_users();
  }
}

bool LoadDriver::may_start(Micros at) const {
  const bool enough = options_.requests > 0 && next_index_ >= options_.requests;
  const bool late = options_.duration_s > 0 && at - begun_ >= from_seconds(options_.duration_s);
  return !stopped_ && !enough && !late;
}

bool LoadDriver::finished() const {
  const bool users_to_come = users_started_ < options_.concurrency;
  const bool more = arrivals_ ? next_arrival_.has_value() : users_to_come && !stopped_;
  return !more && paused_ == 0 && open_.empty() && ended_.empty();
}

void LoadDriver::start_users() {
  const double spacing = options_.ramp_s / options_.concurrency;
  while (users_started_ < options_.concurrency) {
    const Micros due = begun_ + from_seconds(spacing * users_started_);
    if (due > poller_.now()) {
      poller_.call_at(due, [this] { start_users(); });
      return;
    }
    ++users_started_;
    if (may_start(due)) start_one(Arrival{}, poller_.now());
  }
}

void LoadDriver::start_due_arrivals() {
  while (next_arrival_) {
    const Micros due = begun_ + next_arrival_->at;
    if (!may_start(due)) {
      next_arrival_.reset();
    } else if (due <= poller_.now()) {
      if (open_.size() >= options_.max_open) {
        ++next_index_;
        report_.note_dropped();
      } else {
        start_one(*next_arrival_, due);
      }
      next_arrival_ = arrivals_->next();
    } else {
      return;
    }
  }
}

void LoadDriver::start_one(const Arrival& arrival, Micros due) {
  LoadRequest request = make_request(options_, next_index_++, arrival);
  request.due = due;
  auto exchange = std::make_unique<LoadExchange>(poller_, *this, target_, std::move(request));
  LoadExchange* const key = exchange.get();
  open_.emplace(key, std::move(exchange));
  key->start(kept_connection());
}

int LoadDriver::kept_connection() {
  while (!kept_.empty()) {
    const int fd = kept_.back();
    kept_.pop_back();
    char byte = 0;
    const ssize_t count = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fd;
    ::close(fd);
  }
  return -1;
}

void LoadDriver::run_once() {
  std::optional<Micros> until;
  if (next_arrival_) until = begun_ + next_arrival_->at;
  poller_.run_once(ended_.empty() ? until : poller_.now());
  settle_ended();
  if (arrivals_) start_due_arrivals();
}

void LoadDriver::on_exchange_end(LoadExchange& exchange) {
  auto node = open_.extract(&exchange);
  if (!node.empty()) ended_.push_back(std::move(node.mapped()));
}

void LoadDriver::settle_ended() {
  const auto batch = std::exchange(ended_, {});
  for (const auto& exchange : batch) {
    report_.add(exchange->request(), exchange->result());
    if (on_record_) on_record_(exchange->request(), exchange->result());
    const int fd = options_.keep_alive ? exchange->take_connection() : -1;
    if (fd >= 0) kept_.push_back(fd);
    if (arrivals_) continue;
    const Outcome outcome = exchange->result().outcome;
    const bool rest = outcome == Outcome::refused || outcome == Outcome::closed;
    rest ? pause_user() : continue_user();
  }
}

void LoadDriver::continue_user() {
  if (may_start(poller_.now())) start_one(Arrival{}, poller_.now());
}

void LoadDriver::pause_user() {
  ++paused_;
  poller_.call_at(poller_.now() + kPause, [this] {
    --paused_;
    continue_user();
  });
}

void LoadDriver::stop() {
  stopped_ = true;
  next_arrival_.reset();
  std::vector<LoadExchange*> all;
  for (const auto& [key, exchange] : open_) all.push_back(key);
  for (LoadExchange* const exchange : all) exchange->abort();
  settle_ended();
}

}  // namespace sluice::testbed
