#include "tests/testbed/flow/flow.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::testbed {

namespace {

constexpr Micros kAgain = 100'000;         // until another stream is tried
constexpr Micros kLateMax = 20'000;        // a sender that slept longer does not catch up
constexpr std::size_t kUnsentMax = 65536;  // of the stream; records beyond are left out
constexpr Micros kBlastTurn = 2'000;

}  // namespace

Flow::Flow(Poller& poller, FlowOptions options) : poller_(poller), options_(std::move(options)) {}

Flow::~Flow() {
  for (const int fd : {udp_, tcp_}) {
    if (fd < 0) continue;
    poller_.forget(fd);
    ::close(fd);
  }
  if (out_ != nullptr) std::fclose(out_);
}

std::optional<std::string> Flow::start() {
  const auto to = ipv4_place(options_.to);
  const auto source = ipv4_place(options_.source);
  if (!to || !source) return "--to and --source must be IPv4 addresses with ports";
  to_ = *to;
  source_ = *source;
  if (!options_.out.empty() && (out_ = std::fopen(options_.out.c_str(), "a")) == nullptr) {
    return options_.out + ": " + std::strerror(errno);
  }
  std::string error;
  FlowSocketWish wish;
  wish.bound = source_;
  wish.mark = options_.mark;
  wish.dscp = options_.dscp;
  udp_ = open_flow_socket(wish, &error);
  if (udp_ < 0) return options_.source + ": " + error;
  poller_.watch(udp_, EPOLLIN, datagrams_);
  datagram_due_ = record_due_ = poller_.now();
  if (options_.blast_mbit > 0) {
    blast();
    return std::nullopt;
  }
  send_datagram();
  if (options_.stream_interval_us > 0) {
    connect_stream();
    send_record();
  }
  return std::nullopt;
}

void Flow::send_datagram() {
  const Micros now = poller_.now();
  std::string bytes(static_cast<std::size_t>(std::max(options_.bytes, 32)), '\0');
  const Record record{datagrams_sent_++, now, {}};
  std::memcpy(bytes.data(), &record, sizeof(record));
  ::sendto(udp_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to_),
           sizeof(to_));
  datagram_due_ = std::max(datagram_due_ + options_.interval_us, now - kLateMax);
  poller_.call_at(datagram_due_, [this] { send_datagram(); });
}

void Flow::blast() {
  const Micros now = poller_.now();
  const std::string bytes(static_cast<std::size_t>(options_.bytes), '\0');
  datagram_due_ = std::max(datagram_due_, now - kLateMax);
  const auto apart =
      static_cast<Micros>(static_cast<double>(options_.bytes + 28) * 8 / options_.blast_mbit);
  while (datagram_due_ <= now) {
    ::sendto(udp_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to_),
             sizeof(to_));
    datagram_due_ += std::max<Micros>(apart, 1);
  }
  poller_.call_at(now + kBlastTurn, [this] { blast(); });
}

void Flow::connect_stream() {
  std::string error;
  FlowSocketWish wish;
  wish.stream = true;
  wish.bound = source_;
  wish.mark = options_.mark;
  wish.dscp = options_.dscp;
  came_.clear();
  to_send_.clear();
  tcp_ = open_flow_socket(wish, &error);
  const int done =
      tcp_ < 0 ? -1 : ::connect(tcp_, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_));
  if (tcp_ >= 0 && (done == 0 || errno == EINPROGRESS)) {
    poller_.watch(tcp_, EPOLLIN, stream_);
    return;
  }
  if (tcp_ >= 0) ::close(tcp_);
  tcp_ = -1;
  poller_.call_at(poller_.now() + kAgain, [this] { connect_stream(); });
}

void Flow::break_stream() {
  poller_.forget(tcp_);
  ::close(tcp_);
  tcp_ = -1;
  if (out_ != nullptr) {
    std::fprintf(out_, "x %lld\n", static_cast<long long>(poller_.now()));
    std::fflush(out_);
  }
  poller_.call_at(poller_.now() + kAgain, [this] { connect_stream(); });
}

void Flow::send_record() {
  const Micros now = poller_.now();
  const Record record{records_sent_++, now, {}};
  if (tcp_ >= 0 && to_send_.size() < kUnsentMax) {
    to_send_.append(reinterpret_cast<const char*>(&record), sizeof(record));
    const ssize_t sent = ::send(tcp_, to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
    if (sent > 0) to_send_.erase(0, static_cast<std::size_t>(sent));
    const bool waits = errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
    if (sent < 0 && !waits) break_stream();
  }
  record_due_ = std::max(record_due_ + options_.stream_interval_us, now - kLateMax);
  poller_.call_at(record_due_, [this] { send_record(); });
}

void Flow::Datagrams::on_ready(std::uint32_t) { owner.take_datagrams(); }

void Flow::take_datagrams() {
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t size = ::recv(udp_, buffer.data(), buffer.size(), 0);
    if (size < 0) break;
    Record record;
    if (static_cast<std::size_t>(size) < sizeof(record)) continue;
    std::memcpy(&record, buffer.data(), sizeof(record));
    write_line('u', record);
  }
  if (out_ != nullptr) std::fflush(out_);
}

void Flow::Stream::on_ready(std::uint32_t) { owner.take_stream(); }

void Flow::take_stream() {
  std::array<char, 65536> buffer;
  const ssize_t size = ::recv(tcp_, buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return break_stream();
  came_.append(buffer.data(), static_cast<std::size_t>(size));
  std::size_t at = 0;
  for (; came_.size() - at >= sizeof(Record); at += sizeof(Record)) {
    Record record;
    std::memcpy(&record, came_.data() + at, sizeof(record));
    write_line('t', record);
  }
  came_.erase(0, at);
  if (out_ != nullptr) std::fflush(out_);
}

void Flow::write_line(char kind, const Record& record) {
  if (out_ == nullptr) return;
  std::fprintf(out_, "%c %llu %lld %lld\n", kind, static_cast<unsigned long long>(record.sequence),
               static_cast<long long>(record.sent), static_cast<long long>(poller_.now()));
}

}  // namespace sluice::testbed
