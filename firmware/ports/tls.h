// TLS on the server's side: a stream is wrapped and stays a stream. The library behind it, and
// behind the functions below, is drivers/mbedtls.
// Secrets: a key goes in and never comes out, into no error either.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/random.h"
#include "firmware/ports/streams.h"

namespace sluice::ports {

// What the box shows to its clients, as PEM, and where it was read, for errors.
struct TlsIdentity {
  std::string chain;  // its own certificate first, then those of its issuers
  std::string key;    // without a passphrase
  std::string chain_path;
  std::string key_path;
};

struct TlsLimits {
  Duration handshake_max = Duration::seconds(10);
  // Each costs the loop some milliseconds. Beyond, connections are closed before any of it.
  int64_t handshakes_per_second_max = 100;
  int64_t handshakes_per_second_per_address_max = 50;
};

class TlsServer {
 public:
  virtual ~TlsServer() = default;
  // For new connections; those that are open go on with what they have, and session tickets end.
  // Errors: as check_identity; what was used before stays in use.
  virtual Result<void> use(const TlsIdentity& identity) = 0;
  virtual void set_limits(const TlsLimits& limits) = 0;
  // Order: after use(). Lifetime: the server outlives the streams.
  // A client's close_notify is the end (on_end), and so is a FIN without one: to a server both
  // mean that the client sends nothing more, and HTTP itself tells whether a request is whole.
  // What is no TLS, comes too late or too often ends with on_error before any bytes.
  virtual std::unique_ptr<ByteStream> wrap(std::unique_ptr<ByteStream> stream) = 0;
};

struct Validity {
  Date from;
  Date until;
};

// Errors: refused, with what is wrong in which file, and what to do. The date is not looked at.
Result<Validity> check_identity(const TlsIdentity& identity);

struct OwnCertificate {
  std::vector<std::string> names;  // the first is its subject
  std::vector<Address> addresses;  // literal IPv4 and IPv6; their ports do not count
  Validity valid;
};

// A new EC P-256 key and a certificate signed by itself. Errors: broken (the library failed).
Result<TlsIdentity> make_identity(const OwnCertificate& wish, Secrets& secrets);

}  // namespace sluice::ports
