// A certificate that the box signs itself (RFC 5280): good for one server, not an authority, so
// that a client which trusts it trusts this box and nothing else.
#include <arpa/inet.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "drivers/mbedtls/identity.h"
#include "drivers/mbedtls/reason.h"
#include "drivers/mbedtls/tls_context.h"

namespace sluice::drivers {

namespace {

constexpr size_t kSubjectLengthMax = 64;  // ub-common-name
constexpr size_t kNameLengthMax = 253;
constexpr size_t kNamesBytesMax = 8192;
constexpr size_t kPemBytesMax = 16384;
constexpr size_t kSerialBytes = 16;
constexpr unsigned char kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
constexpr unsigned char kIpAddress = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

template <size_t kSize>
std::string_view literal(const char (&text)[kSize]) {
  return {text, kSize - 1};
}

// DER is written from its end to its beginning.
class DerWriter {
 public:
  explicit DerWriter(size_t most) : bytes_(most), at_(bytes_.data() + most) {}

  void field(unsigned char tag, std::string_view content) {
    raw(content);
    close(tag, content.size());
  }
  void close(unsigned char tag, size_t length) {
    add(mbedtls_asn1_write_len(&at_, bytes_.data(), length));
    add(mbedtls_asn1_write_tag(&at_, bytes_.data(), tag));
  }
  size_t size() const { return static_cast<size_t>(bytes_.data() + bytes_.size() - at_); }
  const unsigned char* begin() const { return at_; }
  int code() const { return code_; }  // the first that went wrong

 private:
  void raw(std::string_view content) {
    add(mbedtls_asn1_write_raw_buffer(&at_, bytes_.data(), octets(content), content.size()));
  }
  void add(int code) {
    if (code < 0 && code_ == 0) code_ = code;
  }

  std::vector<unsigned char> bytes_;
  unsigned char* at_;
  int code_ = 0;
};

bool is_host_name(const std::string& name) {
  return !name.empty() && name.size() <= kNameLengthMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.';
         });
}

std::string address_octets(const ports::Address& address) {
  std::array<char, 16> bytes{};
  if (::inet_pton(AF_INET, address.host.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (::inet_pton(AF_INET6, address.host.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return {};
}

std::string time_text(Date date) {
  const std::chrono::sys_seconds time{std::chrono::seconds(date.as_seconds())};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

// Makes key and certificate; the first error code of the library stays, and what follows is left.
class Maker {
 public:
  explicit Maker(ports::Secrets& secrets) : secrets_(secrets) {
    mbedtls_pk_init(&key_);
    mbedtls_x509write_crt_init(&crt_);
    mbedtls_mpi_init(&serial_);
  }
  ~Maker() {
    mbedtls_mpi_free(&serial_);
    mbedtls_x509write_crt_free(&crt_);
    mbedtls_pk_free(&key_);
  }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;

  int run(const ports::OwnCertificate& wish, ports::TlsIdentity& into) {
    if (make_key() && describe(wish) && add_extensions(wish)) write(into);
    return code_;
  }

 private:
  bool is_done(int code) {
    if (code_ == 0 && code < 0) code_ = code;
    return code_ == 0;
  }

  bool make_key() {
    return is_done(mbedtls_pk_setup(&key_, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY))) &&
           is_done(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key_),
                                       random_for_mbedtls, &secrets_));
  }

  bool describe(const ports::OwnCertificate& wish) {
    std::string serial = secrets_.bytes(kSerialBytes);
    serial[0] = static_cast<char>((serial[0] & 0x7f) | 0x40);  // positive, and never shorter
    const bool named = !wish.names.empty() && wish.names.front().size() <= kSubjectLengthMax &&
                       is_host_name(wish.names.front());
    const std::string subject = "CN=" + (named ? wish.names.front() : std::string("sluice"));
    mbedtls_x509write_crt_set_version(&crt_, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt_, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt_, &key_);
    mbedtls_x509write_crt_set_issuer_key(&crt_, &key_);
    return is_done(mbedtls_mpi_read_binary(&serial_, octets(serial), serial.size())) &&
           is_done(mbedtls_x509write_crt_set_serial(&crt_, &serial_)) &&
           is_done(mbedtls_x509write_crt_set_subject_name(&crt_, subject.c_str())) &&
           is_done(mbedtls_x509write_crt_set_issuer_name(&crt_, subject.c_str())) &&
           is_done(mbedtls_x509write_crt_set_validity(&crt_, time_text(wish.valid.from).c_str(),
                                                      time_text(wish.valid.until).c_str()));
  }

  bool add_extensions(const ports::OwnCertificate& wish) {
    return is_done(mbedtls_x509write_crt_set_basic_constraints(&crt_, 0, -1)) &&
           is_done(mbedtls_x509write_crt_set_key_usage(&crt_, MBEDTLS_X509_KU_DIGITAL_SIGNATURE)) &&
           is_done(mbedtls_x509write_crt_set_subject_key_identifier(&crt_)) &&
           is_done(mbedtls_x509write_crt_set_authority_key_identifier(&crt_)) && add_purpose() &&
           add_names(wish);
  }

  bool add_purpose() {
    DerWriter der(64);
    der.field(MBEDTLS_ASN1_OID, literal(MBEDTLS_OID_SERVER_AUTH));
    der.close(MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, der.size());
    return add(literal(MBEDTLS_OID_EXTENDED_KEY_USAGE), der);
  }

  bool add_names(const ports::OwnCertificate& wish) {
    DerWriter der(kNamesBytesMax);
    for (const ports::Address& address : wish.addresses) {
      const std::string bytes = address_octets(address);
      if (!bytes.empty()) der.field(kIpAddress, bytes);
    }
    for (auto name = wish.names.rbegin(); name != wish.names.rend(); ++name) {
      if (is_host_name(*name)) der.field(kDnsName, *name);
    }
    der.close(MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE, der.size());
    return add(literal(MBEDTLS_OID_SUBJECT_ALT_NAME), der);
  }

  bool add(std::string_view oid, const DerWriter& der) {
    return is_done(der.code()) && is_done(mbedtls_x509write_crt_set_extension(
                                      &crt_, oid.data(), oid.size(), 0, der.begin(), der.size()));
  }

  void write(ports::TlsIdentity& into) {
    std::vector<unsigned char> pem(kPemBytesMax);
    const auto text = [&pem] { return std::string(reinterpret_cast<const char*>(pem.data())); };
    if (!is_done(mbedtls_x509write_crt_pem(&crt_, pem.data(), pem.size(), random_for_mbedtls,
                                           &secrets_))) {
      return;
    }
    into.chain = text();
    if (is_done(mbedtls_pk_write_key_pem(&key_, pem.data(), pem.size()))) into.key = text();
    mbedtls_platform_zeroize(pem.data(), pem.size());
  }

  ports::Secrets& secrets_;
  mbedtls_pk_context key_;
  mbedtls_x509write_cert crt_;
  mbedtls_mpi serial_;
  int code_ = 0;
};

}  // namespace

}  // namespace sluice::drivers

namespace sluice::ports {

Result<TlsIdentity> make_identity(const OwnCertificate& wish, Secrets& secrets) {
  TlsIdentity identity;
  const int code = drivers::Maker(secrets).run(wish, identity);
  if (code == 0) return identity;
  return Error{ErrorKind::broken, "tls",
               "a certificate of its own cannot be made: " + drivers::reason(code)};
}

}  // namespace sluice::ports
