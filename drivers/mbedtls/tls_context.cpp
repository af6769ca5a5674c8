#include "drivers/mbedtls/tls_context.h"

#include <mbedtls/ssl_ciphersuites.h>

#include <algorithm>
#include <array>

#include "drivers/mbedtls/identity.h"
#include "drivers/mbedtls/reason.h"

namespace sluice::drivers {

namespace {

// The library keeps pointers to these lists. In the order of choice; each ends with a zero.
constexpr std::array kCipherSuites = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};
constexpr std::array kCurves = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519,
                                MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
constexpr std::array<int, 4> kHashes = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                        MBEDTLS_MD_NONE};

const char** protocols() {
  static std::array<const char*, 2> names = {"http/1.1", nullptr};
  return names.data();
}

}  // namespace

int random_for_mbedtls(void* secrets, unsigned char* out, size_t size) noexcept {
  const std::string bytes = static_cast<ports::Secrets*>(secrets)->bytes(size);
  std::copy(bytes.begin(), bytes.end(), out);
  return 0;
}

TlsContext::TlsContext() {
  mbedtls_ssl_config_init(&config_);
  mbedtls_ssl_ticket_init(&tickets_);
  mbedtls_x509_crt_init(&chain_);
  mbedtls_pk_init(&key_);
}

TlsContext::~TlsContext() {
  mbedtls_ssl_config_free(&config_);
  mbedtls_ssl_ticket_free(&tickets_);
  mbedtls_x509_crt_free(&chain_);
  mbedtls_pk_free(&key_);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const ports::TlsIdentity& identity,
                                                           ports::Secrets& secrets) {
  const std::shared_ptr<TlsContext> context(new TlsContext());
  if (Result<void> ok = context->set_up(identity, secrets); !ok) return ok.error();
  return std::shared_ptr<const TlsContext>(context);
}

Result<void> TlsContext::set_up(const ports::TlsIdentity& identity, ports::Secrets& secrets) {
  if (Result<void> ok = parse_identity(identity, chain_, key_); !ok) return ok;
  const int code = configure(secrets);
  if (code == 0) return {};
  return Error{ErrorKind::broken, "tls", "TLS cannot be set up: " + reason(code)};
}

int TlsContext::configure(ports::Secrets& secrets) {
  const int code = mbedtls_ssl_config_defaults(
      &config_, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) return code;
  mbedtls_ssl_conf_min_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_ciphersuites(&config_, kCipherSuites.data());
  mbedtls_ssl_conf_curves(&config_, kCurves.data());
  mbedtls_ssl_conf_sig_hashes(&config_, kHashes.data());
  mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_NONE);  // clients show an API key
  mbedtls_ssl_conf_renegotiation(&config_, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_legacy_renegotiation(&config_, MBEDTLS_SSL_LEGACY_NO_RENEGOTIATION);
  mbedtls_ssl_conf_rng(&config_, random_for_mbedtls, &secrets);
  if (const int no = mbedtls_ssl_conf_alpn_protocols(&config_, protocols()); no != 0) return no;
  if (const int no = mbedtls_ssl_conf_own_cert(&config_, &chain_, &key_); no != 0) return no;
  const int no =
      mbedtls_ssl_ticket_setup(&tickets_, random_for_mbedtls, &secrets, MBEDTLS_CIPHER_AES_256_GCM,
                               static_cast<uint32_t>(kTicketKeyLifetime.as_us() / 1000000));
  if (no != 0) return no;
  mbedtls_ssl_conf_session_tickets_cb(&config_, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                      &tickets_);
  return 0;
}

}  // namespace sluice::drivers
