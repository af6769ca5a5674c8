#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>

#include "tests/unit/mbedtls/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

ports::TlsIdentity made() {
  OsSecrets secrets;
  auto identity = ports::make_identity(ordinary_wish(), secrets);
  REQUIRE(identity.has_value());
  identity->chain_path = "/c.pem";
  identity->key_path = "/k.pem";
  return *identity;
}

std::string complaint(const ports::TlsIdentity& identity) {
  const auto checked = ports::check_identity(identity);
  if (checked) return {};
  CHECK(checked.error().kind == ErrorKind::refused);
  for (const std::string& secret : {identity.key}) {
    if (secret.size() > 40)
      CHECK(checked.error().text.find(secret.substr(30, 10)) == std::string::npos);
  }
  return checked.error().text;
}

// A key of a kind that is not taken. The certificate need not fit: the kind is looked at first.
std::string rsa_key(unsigned bits) {
  OsSecrets secrets;
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  REQUIRE(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
  REQUIRE(mbedtls_rsa_gen_key(mbedtls_pk_rsa(key), random_for_mbedtls, &secrets, bits, 65537) == 0);
  std::vector<unsigned char> pem(8192);
  REQUIRE(mbedtls_pk_write_key_pem(&key, pem.data(), pem.size()) == 0);
  mbedtls_pk_free(&key);
  return reinterpret_cast<const char*>(pem.data());
}

}  // namespace

TEST_CASE("identity: a made one is good for its names and time, and is no authority") {
  const ports::TlsIdentity identity = made();
  const auto valid = ports::check_identity(identity);
  REQUIRE(valid.has_value());
  CHECK(valid->from == ordinary_wish().valid.from);
  CHECK(valid->until == ordinary_wish().valid.until);
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  REQUIRE(mbedtls_x509_crt_parse(&crt,
                                 reinterpret_cast<const unsigned char*>(identity.chain.c_str()),
                                 identity.chain.size() + 1) == 0);
  CHECK(crt.ca_istrue == 0);
  CHECK(mbedtls_x509_crt_check_key_usage(&crt, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0);
  std::vector<std::string> names;
  for (const mbedtls_x509_sequence* name = &crt.subject_alt_names; name != nullptr;
       name = name->next) {
    names.emplace_back(reinterpret_cast<const char*>(name->buf.p), name->buf.len);
  }
  CHECK(std::count(names.begin(), names.end(), "box") == 1);
  CHECK(std::count(names.begin(), names.end(), "box.local") == 1);
  CHECK(std::count(names.begin(), names.end(), "localhost") == 1);
  CHECK(std::count(names.begin(), names.end(), std::string("\x7f\0\0\1", 4)) == 1);
  mbedtls_x509_crt_free(&crt);
  CHECK(made().key != identity.key);
}

TEST_CASE("identity: names that are none are left out, and a long or odd first one is no subject") {
  OsSecrets secrets;
  ports::OwnCertificate wish = ordinary_wish();
  wish.names = {"odd,CN=evil", std::string(300, 'a'), "good.example"};
  const auto identity = ports::make_identity(wish, secrets);
  REQUIRE(identity.has_value());
  mbedtls_x509_crt crt;
  mbedtls_x509_crt_init(&crt);
  REQUIRE(mbedtls_x509_crt_parse(&crt,
                                 reinterpret_cast<const unsigned char*>(identity->chain.c_str()),
                                 identity->chain.size() + 1) == 0);
  std::array<char, 256> text{};
  REQUIRE(mbedtls_x509_dn_gets(text.data(), text.size(), &crt.subject) > 0);
  CHECK(std::string(text.data()) == "CN=sluice");
  mbedtls_x509_crt_free(&crt);
}

TEST_CASE("identity: what is wrong is told with the file and what to do, never the key") {
  ports::TlsIdentity identity = made();
  identity.key = made().key;
  CHECK(complaint(identity) ==
        "/k.pem is not the key of the first certificate in /c.pem; name the key that the "
        "certificate was made for, and put the box's own certificate first");

  identity = made();
  identity.chain = "nothing of the kind";
  CHECK(complaint(identity).starts_with("/c.pem: no certificate can be read in it: "));
  std::swap(identity.chain, identity.key);
  identity.chain = made().chain;
  CHECK(complaint(identity).starts_with("/k.pem: no private key can be read in it: "));

  identity = made();
  identity.chain.resize(identity.chain.size() / 2);
  CHECK(complaint(identity).starts_with("/c.pem: no certificate can be read in it: "));
  identity = made();
  identity.chain += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  CHECK(complaint(identity).starts_with("/c.pem: 1 of its certificates cannot be read; "));
  identity = made();
  identity.key.resize(identity.key.size() / 2);
  CHECK(complaint(identity).starts_with("/k.pem: no private key can be read in it: "));

  identity = made();
  identity.key = rsa_key(1024);
  CHECK(complaint(identity).starts_with("/k.pem: an RSA key of 1024 bits is too weak; "));
}

TEST_CASE("identity: a key behind a passphrase is told as such") {
  ports::TlsIdentity identity = made();
  identity.key =
      "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n" +
      std::string(64, 'A') + "\n-----END EC PRIVATE KEY-----\n";
  CHECK(complaint(identity).find("locked by a passphrase") != std::string::npos);
}
