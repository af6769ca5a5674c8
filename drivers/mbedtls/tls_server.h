// ports::TlsServer on mbedTLS 2.28.
//
// A whole handshake costs the loop thread about 2.5 ms, nearly all of it for two operations on an
// elliptic curve; the rate in TlsLimits bounds what that takes from everything else. A resumed one
// counts too, though it is cheap.
// Lifetime: the server outlives its streams.
#pragma once

#include <memory>

#include "drivers/mbedtls/tls_stream.h"

namespace sluice::drivers {

class MbedTlsServer final : public ports::TlsServer {
 public:
  MbedTlsServer(ports::Timers& timers, ports::Clock& clock, ports::Secrets& secrets, Log& log);

  Result<void> use(const ports::TlsIdentity& identity) override;
  void set_limits(const ports::TlsLimits& limits) override;
  std::unique_ptr<ports::ByteStream> wrap(std::unique_ptr<ports::ByteStream> stream) override;

 private:
  ports::Secrets& secrets_;
  TlsHouse house_;
  std::shared_ptr<const TlsContext> context_;
};

}  // namespace sluice::drivers
