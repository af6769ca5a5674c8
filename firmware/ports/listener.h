// Accepting connections.
#pragma once

#include <memory>

#include "firmware/base/result.h"
#include "firmware/ports/streams.h"

namespace sluice::ports {

class AcceptSink {
 public:
  virtual ~AcceptSink() = default;
  virtual void on_accept(std::unique_ptr<ByteStream> stream) = 0;
  // A connection was closed at once, because the process is about to run out of descriptors.
  virtual void on_no_room() {}
};

class Listener {  // destroying it stops accepting; accepted streams live on
 public:
  virtual ~Listener() = default;
  virtual const Address& address() const = 0;  // the real port where 0 was asked
  // For a successor to inherit: it accepts on the same socket, so that no caller is refused.
  virtual int descriptor() const = 0;
  // Of a local socket: whether the end of this one removes it. So when it was made here, not so
  // when it was inherited: whoever the last process is says so.
  virtual void own_name(bool owns) = 0;
};

class Listeners {
 public:
  virtual ~Listeners() = default;
  // Errors: refused (address in use or not ours: the text says which and what to change).
  // A local socket is made with mode 0660; a stale one that nobody answers on is replaced.
  // The sink must outlive the Listener.
  virtual Result<std::unique_ptr<Listener>> listen(const Address& at, AcceptSink& sink) = 0;
};

}  // namespace sluice::ports
