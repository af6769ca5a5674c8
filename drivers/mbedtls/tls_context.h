// What all connections under one certificate share: what is offered, the key, the ticket keys.
//
// TLS 1.2 (the library knows no newer one); ECDHE and AEAD only; no renegotiation; ALPN http/1.1;
// a name that the client asks for (SNI) is not looked at. Session tickets (RFC 5077) are sealed
// with a key that lives kTicketKeyLifetime and opens for as long again.
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <memory>

#include "firmware/base/result.h"
#include "firmware/ports/random.h"
#include "firmware/ports/tls.h"

namespace sluice::drivers {

inline constexpr Duration kTicketKeyLifetime = Duration::seconds(3600);

class TlsContext {
 public:
  // Lifetime: `secrets` outlives the context. Errors: as ports::check_identity.
  static Result<std::shared_ptr<const TlsContext>> make(const ports::TlsIdentity& identity,
                                                        ports::Secrets& secrets);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const mbedtls_ssl_config& config() const { return config_; }

 private:
  TlsContext();
  Result<void> set_up(const ports::TlsIdentity& identity, ports::Secrets& secrets);
  int configure(ports::Secrets& secrets);

  mbedtls_ssl_config config_;
  mbedtls_ssl_ticket_context tickets_;
  mbedtls_x509_crt chain_;
  mbedtls_pk_context key_;
};

// For the library: fills `out` from the ports::Secrets that `secrets` points to.
int random_for_mbedtls(void* secrets, unsigned char* out, size_t size) noexcept;

}  // namespace sluice::drivers
