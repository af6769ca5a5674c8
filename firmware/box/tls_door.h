// Stands before a server: what is accepted gets TLS around it, and the server does not know.
#pragma once

#include <memory>
#include <utility>

#include "firmware/ports/listener.h"
#include "firmware/ports/tls.h"

namespace sluice::box {

class TlsDoor final : public ports::AcceptSink {
 public:
  TlsDoor(ports::TlsServer& tls, ports::AcceptSink& server) : tls_(tls), server_(server) {}
  void on_accept(std::unique_ptr<ports::ByteStream> stream) override {
    server_.on_accept(tls_.wrap(std::move(stream)));
  }
  void on_no_room() override { server_.on_no_room(); }

 private:
  ports::TlsServer& tls_;
  ports::AcceptSink& server_;
};

}  // namespace sluice::box
