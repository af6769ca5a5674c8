// The client for servers on the local network and inside the tunnel: plain HTTP/1.1 over a Dialer
// (port: firmware/ports/http_client.h). https is `unsupported` here.
// A call is written in one piece (two for large bodies), never sent a second time, and goes over a
// kept connection when there is one to the same address.
// Lifetime: the ports outlive the client. A call that outlives the client is silent for ever.
// Errors: refused (the request cannot be written), busy (too many connections), gone (the server
// is not there, late, or left), broken (its answer is malformed, truncated or too large).
#pragma once

#include "drivers/http1/connection_pool.h"
#include "firmware/ports/http_client.h"

namespace sluice::drivers {

class Http1Client final : public ports::HttpClient {
 public:
  Http1Client(ports::Dialer& dialer, ports::Timers& timers, ports::Clock& clock,
              ports::HttpParsers& parsers, ports::HttpLimits limits = {});

  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override;

  size_t open_connections() const { return pool_.open_count(); }
  size_t resting_connections() const { return pool_.resting_count(); }

 private:
  ConnectionPorts ports_;
  ConnectionPool pool_;
};

}  // namespace sluice::drivers
