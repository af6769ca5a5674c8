#include "drivers/netlink/netlink_socket.h"

#include <libmnl/libmnl.h>
#include <sys/time.h>

#include <cerrno>

#include "firmware/base/check.h"

namespace sluice::drivers {

NetlinkSocket::NetlinkSocket(int protocol) : protocol_(protocol), buffer_(kDatagramMax) {}

NetlinkSocket::~NetlinkSocket() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

int NetlinkSocket::open() {
  if (socket_ != nullptr) return 0;
  mnl_socket* opened = mnl_socket_open2(protocol_, SOCK_CLOEXEC);
  if (opened == nullptr) return errno;
  int on = 1;
  // Without these two an error has fewer words; no reason to fail.
  mnl_socket_setsockopt(opened, NETLINK_EXT_ACK, &on, sizeof on);
  mnl_socket_setsockopt(opened, NETLINK_CAP_ACK, &on, sizeof on);
  const timeval limit{kAnswerSecondsMax, 0};
  const int descriptor = mnl_socket_get_fd(opened);
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) != 0) {
    const int code = errno;
    mnl_socket_close(opened);
    return code;
  }
  socket_ = opened;
  return 0;
}

Answer NetlinkSocket::ask(NetlinkMessage& message, const OnReply& on_reply) {
  ENSURE((message.flags() & (NLM_F_ACK | NLM_F_DUMP)) != 0);
  if (const int code = open(); code != 0) return {code, {}, false};
  message.set_sequence(++sequence_);
  const Octets bytes = message.bytes();
  if (mnl_socket_sendto(socket_, bytes.data(), bytes.size()) < 0) return {errno, {}, false};
  return receive(sequence_, on_reply);
}

Answer NetlinkSocket::ask(NetlinkMessage& message) {
  return ask(message, [](const Reply&) {});
}

Answer NetlinkSocket::receive(uint32_t sequence, const OnReply& on_reply) {
  ReplyReader reader(sequence);
  for (int i = 0; i < kDatagramsMax; ++i) {
    const ssize_t size = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
    if (size < 0) {
      if (errno == EINTR) continue;
      return {errno == EAGAIN ? ETIMEDOUT : errno, {}, false};
    }
    const auto datagram = std::span(buffer_).first(static_cast<size_t>(size));
    reader.read(datagram, on_reply);
    wipe(datagram);
    if (reader.ended()) return reader.answer();
  }
  return {EBADMSG, "the answer has no end", false};
}

Answer ask_coherently(NetlinkSocket& socket, NetlinkMessage& message,
                      const std::function<void()>& begin, const OnReply& on_reply) {
  Answer answer;
  for (int i = 0; i < kDumpTries; ++i) {
    begin();
    answer = socket.ask(message, on_reply);
    // Some families end an interrupted dump with EINTR.
    if (!answer.interrupted && answer.code != EINTR) return answer;
  }
  return {EAGAIN, "it changes faster than it can be read", false};
}

}  // namespace sluice::drivers
