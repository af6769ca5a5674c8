// What is offered to clients and what is refused; tickets.
#include <mbedtls/ssl_ciphersuites.h>

#include "tests/unit/mbedtls/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

// A whole handshake sends the certificate, a resumed one does not.
constexpr size_t kResumedBytesMax = 400;

struct Meeting {
  size_t flight_bytes = 0;
  bool done = false;
};

// The handshake; `session`, if it holds one, is resumed, and gets the new one.
Meeting meet(World& world, mbedtls_ssl_session* session) {
  Served served(world);
  Client client(world);
  if (session->ticket != nullptr) {
    REQUIRE(mbedtls_ssl_set_session(&client.raw(), session) == 0);
  }
  client.take(*served.wire);
  served.wire->sink->on_bytes(std::exchange(client.out, {}));
  Meeting meeting;
  meeting.flight_bytes = served.wire->written.size();
  client.exchange(served);
  meeting.done = client.is_done();
  mbedtls_ssl_session_free(session);
  if (meeting.done) REQUIRE(mbedtls_ssl_get_session(&client.raw(), session) == 0);
  return meeting;
}

bool agrees(World& world, const Client::Wishes& wishes) {
  Served served(world);
  Client client(world, wishes);
  client.exchange(served);
  CHECK(client.is_done() == (served.heard.errors == 0));
  return client.is_done();
}

}  // namespace

TEST_CASE("tls offer: only ECDHE with AEAD, TLS 1.2 and http/1.1") {
  World world;
  CHECK(agrees(world, {}));
  for (const int suite : {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}) {
    CHECK(agrees(world, {MBEDTLS_SSL_MINOR_VERSION_3, {suite, 0}, {nullptr}}));
  }
  for (const int suite :
       {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256}) {
    CHECK_FALSE(agrees(world, {MBEDTLS_SSL_MINOR_VERSION_3, {suite, 0}, {nullptr}}));
  }
  CHECK_FALSE(agrees(world, {MBEDTLS_SSL_MINOR_VERSION_2, {}, {nullptr}}));
  CHECK_FALSE(agrees(world, {MBEDTLS_SSL_MINOR_VERSION_3, {}, {"h2", nullptr}}));
}

TEST_CASE("tls offer: a ticket resumes, until another certificate is used") {
  World world;
  mbedtls_ssl_session session;
  mbedtls_ssl_session_init(&session);
  const Meeting first = meet(world, &session);
  REQUIRE(first.done);
  REQUIRE(session.ticket != nullptr);
  CHECK(session.ticket_lifetime == kTicketKeyLifetime.as_us() / 1000000);
  CHECK(first.flight_bytes > kResumedBytesMax);
  const Meeting second = meet(world, &session);
  CHECK(second.done);
  CHECK(second.flight_bytes < kResumedBytesMax);
  REQUIRE(world.server.use(world.identity).has_value());  // new ticket keys
  const Meeting third = meet(world, &session);
  CHECK(third.done);
  CHECK(third.flight_bytes > kResumedBytesMax);
  mbedtls_ssl_session_free(&session);
}

TEST_CASE(
    "tls offer: open connections outlive a change of the certificate, bad ones change nothing") {
  World world;
  Served before(world);
  Client old_client(world);
  old_client.exchange(before);
  const auto other = ports::make_identity(ordinary_wish(), world.secrets);
  REQUIRE(other.has_value());
  ports::TlsIdentity mixed = *other;
  mixed.key = world.identity.key;
  CHECK_FALSE(world.server.use(mixed).has_value());
  Served unchanged(world);
  Client still(world);
  still.exchange(unchanged);
  CHECK(mbedtls_ssl_get_verify_result(&still.raw()) ==
        mbedtls_ssl_get_verify_result(&old_client.raw()));
  REQUIRE(world.server.use(*other).has_value());
  Served after(world);
  Client stranger(world);  // trusts the old one
  stranger.exchange(after);
  CHECK((mbedtls_ssl_get_verify_result(&stranger.raw()) & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0);
  CHECK((mbedtls_ssl_get_verify_result(&still.raw()) & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0);
  old_client.say("still here");
  old_client.exchange(before);
  CHECK(before.heard.text == "still here");
}

TEST_CASE("tls offer: renegotiation is refused and the connection stays") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  mbedtls_ssl_config allowing = *client.raw().conf;
  mbedtls_ssl_conf_renegotiation(&allowing, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
  client.raw().conf = &allowing;
  (void)mbedtls_ssl_renegotiate(&client.raw());
  served.wire->sink->on_bytes(std::exchange(client.out, {}));
  CHECK(record_types(served.wire->written) == std::vector<int>{0x15});  // no_renegotiation
  CHECK(served.heard.errors == 0);
  CHECK(served.heard.text.empty());
}
