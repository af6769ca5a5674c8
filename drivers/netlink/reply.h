// What the kernel answers to one request: payload messages, then an acknowledgement or the end of a
// dump. Pure: bytes in, messages out. Layout: netlink(7), linux/netlink.h (extended
// acknowledgement).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "drivers/netlink/attributes.h"
#include "firmware/base/result.h"

namespace sluice::drivers {

inline constexpr size_t kKernelWordsMax = 200;

struct Reply {
  uint16_t type = 0;
  Octets body;  // behind the header; gone after the call
};
using OnReply = std::function<void(const Reply&)>;

// How it ended.
struct Answer {
  int code = 0;              // errno; 0 = done
  std::string words;         // the kernel's own about the error; often empty
  bool interrupted = false;  // a dump of what changed meanwhile: throw it away and ask again
};

class ReplyReader {
 public:
  explicit ReplyReader(uint32_t sequence) : sequence_(sequence) {}

  // One datagram. Messages of other requests are skipped. A message that is cut short ends the
  // answer with EBADMSG.
  void read(Octets datagram, const OnReply& on_reply);
  bool ended() const { return ended_; }
  const Answer& answer() const { return answer_; }

 private:
  void end(int code, Octets attributes);
  void read_error(const nlmsghdr& head, Octets body);
  void read_done(const nlmsghdr& head, Octets body);

  const uint32_t sequence_;
  bool ended_ = false;
  Answer answer_;
};

// `what` failed: gone (no such link), busy (later), unsupported (not in this kernel), refused (all
// else; without the right to administer the network the text says so).
Error kernel_error(std::string what, const Answer& answer);

}  // namespace sluice::drivers
