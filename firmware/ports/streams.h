// Byte streams: TCP and local (unix) sockets, TLS when wrapped.
// Thread: loop. A sink's callbacks never run inside the call that caused them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::ports {

// Either host and port, or (not empty) the path of a local socket.
struct Address {
  std::string host;
  uint16_t port = 0;
  std::string unix_path;

  std::string text() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  bool operator==(const Address&) const = default;
};

// The owner of a stream hears of it here. From inside any callback the owner may destroy the
// stream.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void on_bytes(std::string_view bytes) = 0;  // valid during the call
  virtual void on_end() = 0;                          // the peer sent FIN; writing still works
  virtual void on_error(const Error& error) = 0;      // last callback: reset, broken pipe
  virtual void on_drained() = 0;  // all written bytes have been handed to the kernel
};

// Destroying the stream closes it; pending bytes are lost.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Order: once, before anything else. Reading starts.
  virtual void start(ByteSink& sink) = 0;
  // Takes all bytes. A little may be gathered until the end of the turn, and is then sent in one
  // piece; what the kernel does not take when it is offered is copied and counted as pending.
  // The caller bounds pending_bytes(): stop producing above a mark, go on at on_drained.
  virtual void write(std::string_view bytes) = 0;
  virtual size_t pending_bytes() const = 0;
  // Bytes that the peer has not taken: the pending ones and, where it can be told, what the kernel
  // holds for it. The kernel takes in large steps only; this tells a slow peer from a dead one.
  virtual size_t untaken_bytes() const { return pending_bytes(); }
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual void end_writing() = 0;  // FIN after the pending bytes
  virtual void reset() = 0;        // RST: the peer sees an abort, not an end; no callback follows
  virtual const Address& peer() const = 0;
};

class DialSink {
 public:
  virtual ~DialSink() = default;
  virtual void on_connected(std::unique_ptr<ByteStream> stream) = 0;
  virtual void on_dial_failed(
      const Error& error) = 0;  // gone: refused, no route, no such name, time
};

class Dial {  // destroying it gives up
 public:
  virtual ~Dial() = default;
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  // Resolves, connects, TCP_NODELAY. The sink must outlive the Dial.
  virtual std::unique_ptr<Dial> dial(const Address& to, Duration timeout, DialSink& sink) = 0;
};

class Dialers {
 public:
  virtual ~Dialers() = default;
  // A dialer whose connections leave in this way, all their life. Its Dials end before it.
  virtual std::unique_ptr<Dialer> by(const OutboundWay& way) = 0;
};

}  // namespace sluice::ports
