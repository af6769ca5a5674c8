// A netlink socket for requests: one at a time, each answered before the call returns. The kernel
// works inside the sending, so an answer is there at once.
// Lifetime: opened by the first request; belongs to the network namespace of that moment.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "drivers/netlink/message.h"
#include "drivers/netlink/reply.h"

struct mnl_socket;

namespace sluice::drivers {

inline constexpr int kAnswerSecondsMax = 5;    // loading a module may take a moment
inline constexpr size_t kDatagramMax = 32768;  // the most that the kernel puts into one of a dump
inline constexpr int kDatagramsMax = 100 * 1000;  // of one answer

// A dump that the kernel calls interrupted is thrown away and asked for anew, so many times.
inline constexpr int kDumpTries = 16;

class NetlinkSocket {
 public:
  explicit NetlinkSocket(int protocol);  // NETLINK_ROUTE, NETLINK_GENERIC
  ~NetlinkSocket();
  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;

  // A message that asks for an acknowledgement or a dump. ETIMEDOUT: none came.
  Answer ask(NetlinkMessage& message, const OnReply& on_reply);
  Answer ask(NetlinkMessage& message);

 private:
  int open();  // errno; 0 = open
  Answer receive(uint32_t sequence, const OnReply& on_reply);

  const int protocol_;
  mnl_socket* socket_ = nullptr;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> buffer_;
};

// A dump in which nothing changed while it was read. begin() takes back what an earlier try left.
// EAGAIN: it kept changing.
Answer ask_coherently(NetlinkSocket& socket, NetlinkMessage& message,
                      const std::function<void()>& begin, const OnReply& on_reply);

}  // namespace sluice::drivers
