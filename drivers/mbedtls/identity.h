// Certificates and keys as the library has them.
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "firmware/base/result.h"
#include "firmware/ports/tls.h"

namespace sluice::drivers {

inline constexpr size_t kRsaBitsMin = 2048;

// Both have been initialised; the caller frees them. Errors: refused, see ports::check_identity.
Result<void> parse_identity(const ports::TlsIdentity& identity, mbedtls_x509_crt& chain,
                            mbedtls_pk_context& key);

}  // namespace sluice::drivers
