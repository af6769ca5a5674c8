// UDP. Thread: loop. A sink's callbacks never run inside the call that caused them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/ip.h"
#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::ports {

inline constexpr size_t kDatagramMax = 65507;

struct DatagramSpec {
  IpAddress::Family family = IpAddress::Family::v4;
  uint16_t port = 0;  // local; 0 = any
  OutboundWay way;
  int hops_max = 0;             // TTL or hop limit; 0 = the system's
  bool never_fragment = false;  // DF, whatever the path is believed to carry (IP_PMTUDISC_PROBE)
};

class DatagramSink {
 public:
  virtual ~DatagramSink() = default;
  // `received`: when the kernel had it, not when the loop came to it.
  virtual void on_datagram(const IpEndpoint& from, std::string_view bytes, Instant received) = 0;
  // ICMP told that something sent to `to` did not arrive; `by` is who said so, `hops_ended` that
  // hops_max was too few.
  virtual void on_undelivered(const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                              const Error& error) = 0;
};

class DatagramSocket {  // destroying it closes it
 public:
  virtual ~DatagramSocket() = default;
  virtual IpEndpoint local() const = 0;
  // At once or not at all; nothing is kept. Errors: busy (the kernel's buffer is full), gone (no
  // route, link down), refused (larger than the link or the path carries).
  virtual Result<void> send(const IpEndpoint& to, std::string_view bytes) = 0;
};

class Datagrams {
 public:
  virtual ~Datagrams() = default;
  // Errors: refused (port or address not ours), gone (no such interface). The sink must outlive
  // the socket.
  virtual Result<std::unique_ptr<DatagramSocket>> open(const DatagramSpec& spec,
                                                       DatagramSink& sink) = 0;
};

}  // namespace sluice::ports
