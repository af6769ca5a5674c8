#include "drivers/mbedtls/tls_server.h"

#include "firmware/base/check.h"

namespace sluice::drivers {

MbedTlsServer::MbedTlsServer(ports::Timers& timers, ports::Clock& clock, ports::Secrets& secrets,
                             Log& log)
    : secrets_(secrets), house_{timers, clock, log, {}, {}, 0, {}} {
  set_limits({});
}

Result<void> MbedTlsServer::use(const ports::TlsIdentity& identity) {
  Result<std::shared_ptr<const TlsContext>> made = TlsContext::make(identity, secrets_);
  if (!made) return made.error();
  context_ = std::move(*made);
  return {};
}

void MbedTlsServer::set_limits(const ports::TlsLimits& limits) {
  house_.limits = limits;
  house_.rate.set(limits.handshakes_per_second_max, limits.handshakes_per_second_per_address_max);
}

std::unique_ptr<ports::ByteStream> MbedTlsServer::wrap(std::unique_ptr<ports::ByteStream> stream) {
  ENSURE(context_ != nullptr);
  return std::make_unique<TlsStream>(std::move(stream), context_, house_);
}

}  // namespace sluice::drivers
