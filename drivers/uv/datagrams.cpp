#include "drivers/uv/datagrams.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "drivers/uv/datagram_control.h"
#include "drivers/uv/held_descriptor.h"
#include "drivers/uv/outbound.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr size_t kControlMax = 512;

class UvDatagramSocket final : public ports::DatagramSocket {
 public:
  UvDatagramSocket(UvLoop& loop, const ports::Clock& clock, std::string interface,
                   HeldDescriptor descriptor, ports::DatagramSink& sink);
  ~UvDatagramSocket() override;
  UvDatagramSocket(const UvDatagramSocket&) = delete;
  UvDatagramSocket& operator=(const UvDatagramSocket&) = delete;

  IpEndpoint local() const override;
  Result<void> send(const IpEndpoint& to, std::string_view bytes) override;

 private:
  struct Poll {  // lives until its close callback; null owner: the socket is closed
    uv_poll_t handle;
    UvDatagramSocket* owner;
  };
  enum class Taken { one, none, closed };

  static void on_ready(uv_poll_t* handle, int status, int events) noexcept;
  void listen();
  static void take_all(Poll& poll);
  Taken take_undelivered(Poll& poll);
  Taken take_datagram(Poll& poll);
  Instant arrival(const std::optional<Date>& stamp);

  // Fixed after construction.
  UvLoop& loop_;
  const ports::Clock& clock_;
  const std::string interface_;
  HeldDescriptor descriptor_;
  ports::DatagramSink& sink_;
  Poll* const poll_;
  // Changes.
  Instant empty_at_;  // nothing had arrived that was not taken
};

UvDatagramSocket::UvDatagramSocket(UvLoop& loop, const ports::Clock& clock, std::string interface,
                                   HeldDescriptor descriptor, ports::DatagramSink& sink)
    : loop_(loop),
      clock_(clock),
      interface_(std::move(interface)),
      descriptor_(std::move(descriptor)),
      sink_(sink),
      poll_(new Poll{{}, this}),
      empty_at_(clock.now()) {
  ENSURE(uv_poll_init(loop_.raw(), &poll_->handle, descriptor_.number()) == 0);
  poll_->handle.data = poll_;
  listen();
}

UvDatagramSocket::~UvDatagramSocket() {
  poll_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
}

void UvDatagramSocket::listen() {
  ENSURE(uv_poll_start(&poll_->handle, UV_READABLE, on_ready) == 0);
}

// What ICMP told wakes the poll as an error, upon which libuv stops polling.
void UvDatagramSocket::on_ready(uv_poll_t* handle, int status, int /*events*/) noexcept {
  Poll& poll = *static_cast<Poll*>(handle->data);
  take_all(poll);
  if (status < 0 && poll.owner != nullptr) poll.owner->listen();
}

// A sink may close the socket at any time.
void UvDatagramSocket::take_all(Poll& poll) {
  for (int left = kUndeliveredPerWake; left > 0; --left) {
    const Taken taken = poll.owner->take_undelivered(poll);
    if (taken == Taken::closed) return;
    if (taken == Taken::none) break;
  }
  for (int left = kDatagramsPerWake; left > 0; --left) {
    if (poll.owner->take_datagram(poll) != Taken::one) return;
  }
}

UvDatagramSocket::Taken UvDatagramSocket::take_undelivered(Poll& poll) {
  std::array<char, kControlMax> control;
  sockaddr_storage to = {};
  msghdr message = {};
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(descriptor_.number(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
    return Taken::none;
  }
  const std::optional<Undelivered> told = undelivered_of(message);
  if (!told) return Taken::one;
  sink_.on_undelivered(to_endpoint(to), told->by, told->hops_ended, told->error);
  return poll.owner == nullptr ? Taken::closed : Taken::one;
}

UvDatagramSocket::Taken UvDatagramSocket::take_datagram(Poll& poll) {
  std::array<char, kControlMax> control;
  sockaddr_storage from = {};
  const auto room = loop_.read_buffer();
  iovec piece = {room.data(), room.size()};
  msghdr message = {};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const Instant before = clock_.now();
  const ssize_t size = ::recvmsg(descriptor_.number(), &message, MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN) empty_at_ = std::max(empty_at_, before);
    // Else an ICMP error of which the error queue tells too: the next datagram is asked for.
    return errno == EAGAIN ? Taken::none : Taken::one;
  }
  const Instant received = arrival(arrival_stamp_of(message));
  sink_.on_datagram(to_endpoint(from), {room.data(), static_cast<size_t>(size)}, received);
  return poll.owner == nullptr ? Taken::closed : Taken::one;
}

Instant UvDatagramSocket::arrival(const std::optional<Date>& stamp) {
  const Instant now = clock_.now();
  if (!stamp) return now;
  timespec wall = {};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  const Duration age = Date::from_us(wall.tv_sec * int64_t{1000000} + wall.tv_nsec / 1000) - *stamp;
  const Instant read = Instant::from_us(static_cast<int64_t>(uv_hrtime() / 1000));
  return std::clamp(read - age, std::min(empty_at_, now), now);
}

IpEndpoint UvDatagramSocket::local() const {
  sockaddr_storage at = {};
  socklen_t size = sizeof at;
  ENSURE(::getsockname(descriptor_.number(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
  return to_endpoint(at);
}

Error send_error(const IpEndpoint& to, int code) {
  const bool busy = code == EAGAIN || code == ENOBUFS || code == ENOMEM;
  const bool refused =
      code == EMSGSIZE || code == EINVAL || code == EAFNOSUPPORT || code == EACCES || code == EPERM;
  return {busy      ? ErrorKind::busy
          : refused ? ErrorKind::refused
                    : ErrorKind::gone,
          "uv", "cannot send to " + to.text() + ": " + std::strerror(code)};
}

// The first try may fail by what ICMP told of an earlier datagram, perhaps to somebody else.
Result<void> UvDatagramSocket::send(const IpEndpoint& to, std::string_view bytes) {
  const sockaddr_storage target = to_socket_address(to, interface_);
  for (int tries = 2;; --tries) {
    if (::sendto(descriptor_.number(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&target), socket_address_size(target)) >= 0) {
      return {};
    }
    const bool again = errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH ||
                       errno == EMSGSIZE || errno == EPROTO || errno == EACCES;
    if (tries == 1 || !again) return send_error(to, errno);
  }
}

void set_on(int descriptor, int level, int option, int value) {
  ENSURE(::setsockopt(descriptor, level, option, &value, sizeof value) == 0);
}

// IPv6 sends a packet that its own link cannot carry in pieces, unless it is told not to.
void set_options(int descriptor, const ports::DatagramSpec& spec) {
  const bool v4 = spec.family == IpAddress::Family::v4;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  set_on(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  set_on(descriptor, level, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
  if (!v4) set_on(descriptor, level, IPV6_V6ONLY, 1);
  if (spec.hops_max > 0) {
    set_on(descriptor, level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, std::min(spec.hops_max, 255));
  }
  if (!spec.never_fragment) return;
  set_on(descriptor, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
         v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE);
  if (!v4) set_on(descriptor, level, IPV6_DONTFRAG, 1);
}

}  // namespace

Result<std::unique_ptr<ports::DatagramSocket>> UvDatagrams::open(const ports::DatagramSpec& spec,
                                                                 ports::DatagramSink& sink) {
  const int family = spec.family == IpAddress::Family::v4 ? AF_INET : AF_INET6;
  HeldDescriptor descriptor(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!descriptor.is_open()) {
    const ErrorKind kind = errno == EAFNOSUPPORT ? ErrorKind::gone : ErrorKind::busy;
    return Error{kind, "uv", std::string("no UDP socket can be made: ") + std::strerror(errno)};
  }
  set_options(descriptor.number(), spec);
  if (auto done = set_way_and_source(descriptor.number(), spec.family, spec.way, spec.port);
      !done) {
    return done.error();
  }
  return std::unique_ptr<ports::DatagramSocket>(std::make_unique<UvDatagramSocket>(
      loop_, clock_, spec.way.interface, std::move(descriptor), sink));
}

}  // namespace sluice::drivers
