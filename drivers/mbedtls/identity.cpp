#include "drivers/mbedtls/identity.h"

#include <fmt/format.h>
#include <mbedtls/ecp.h>

#include <chrono>

#include "drivers/mbedtls/reason.h"

namespace sluice::drivers {

namespace {

Error refusal(std::string text) { return {ErrorKind::refused, "tls", std::move(text)}; }

// The library wants the final zero of a PEM text counted.
const unsigned char* octets(const std::string& pem) {
  return reinterpret_cast<const unsigned char*>(pem.c_str());
}

Result<void> parse_chain(const ports::TlsIdentity& identity, mbedtls_x509_crt& chain) {
  const int code =
      mbedtls_x509_crt_parse(&chain, octets(identity.chain), identity.chain.size() + 1);
  if (code == 0) return {};
  if (code > 0) {
    return refusal(
        fmt::format("{}: {} of its certificates cannot be read; write it again from "
                    "what the issuer gave",
                    identity.chain_path, code));
  }
  return refusal(
      fmt::format("{}: no certificate can be read in it: {}; it must hold, as PEM, the "
                  "certificate of the box first, then those of its issuers",
                  identity.chain_path, reason(code)));
}

Result<void> parse_key(const ports::TlsIdentity& identity, mbedtls_pk_context& key) {
  const int code =
      mbedtls_pk_parse_key(&key, octets(identity.key), identity.key.size() + 1, nullptr, 0);
  if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) {
    return refusal(
        fmt::format("{}: the key is locked by a passphrase, which nobody can type at "
                    "start; write it without one (openssl pkey -in OLD -out NEW)",
                    identity.key_path));
  }
  if (code == 0) return {};
  return refusal(
      fmt::format("{}: no private key can be read in it: {}; it must hold, as PEM, an "
                  "EC key on P-256 or P-384, or an RSA key",
                  identity.key_path, reason(code)));
}

Result<void> check_kind(const ports::TlsIdentity& identity, const mbedtls_pk_context& key) {
  const mbedtls_pk_type_t type = mbedtls_pk_get_type(&key);
  if (type == MBEDTLS_PK_RSA) {
    const size_t bits = mbedtls_pk_get_bitlen(&key);
    if (bits >= kRsaBitsMin) return {};
    return refusal(
        fmt::format("{}: an RSA key of {} bits is too weak; make one of {} bits or an "
                    "EC key on P-256, and a certificate for it",
                    identity.key_path, bits, kRsaBitsMin));
  }
  if (type == MBEDTLS_PK_ECKEY || type == MBEDTLS_PK_ECDSA) {
    const mbedtls_ecp_group_id curve = mbedtls_pk_ec(key)->grp.id;
    if (curve == MBEDTLS_ECP_DP_SECP256R1 || curve == MBEDTLS_ECP_DP_SECP384R1) return {};
  }
  return refusal(
      fmt::format("{}: clients do not know this kind of key; make an EC key on P-256 or "
                  "P-384, or an RSA key, and a certificate for it",
                  identity.key_path));
}

Date date_of(const mbedtls_x509_time& time) {
  const std::chrono::year_month_day day{std::chrono::year(time.year),
                                        std::chrono::month(static_cast<unsigned>(time.mon)),
                                        std::chrono::day(static_cast<unsigned>(time.day))};
  const int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + time.hour) * 60 + time.min) * 60 + time.sec;
  return Date::from_us(seconds * 1000000);
}

}  // namespace

Result<void> parse_identity(const ports::TlsIdentity& identity, mbedtls_x509_crt& chain,
                            mbedtls_pk_context& key) {
  if (Result<void> ok = parse_chain(identity, chain); !ok) return ok;
  if (Result<void> ok = parse_key(identity, key); !ok) return ok;
  if (Result<void> ok = check_kind(identity, key); !ok) return ok;
  if (mbedtls_pk_check_pair(&chain.pk, &key) == 0) return {};
  return refusal(
      fmt::format("{} is not the key of the first certificate in {}; name the key that "
                  "the certificate was made for, and put the box's own certificate first",
                  identity.key_path, identity.chain_path));
}

}  // namespace sluice::drivers

namespace sluice::ports {

Result<Validity> check_identity(const TlsIdentity& identity) {
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  mbedtls_x509_crt_init(&chain);
  mbedtls_pk_init(&key);
  const Result<void> parsed = drivers::parse_identity(identity, chain, key);
  Validity valid;
  if (parsed) valid = {drivers::date_of(chain.valid_from), drivers::date_of(chain.valid_to)};
  mbedtls_x509_crt_free(&chain);
  mbedtls_pk_free(&key);
  if (!parsed) return parsed.error();
  return valid;
}

}  // namespace sluice::ports
