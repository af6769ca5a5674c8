// The two record buffers of a connection, given back while it is idle.
//
// mbedTLS 2.28 holds 16 KB of input and of output buffer for the whole life of a connection
// (Debian builds it without MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH), which is most of what an idle one
// costs. Between two records nothing in them is needed but the 8 octets of the input's sequence
// number, so they can go and come back. They come back as mappings of their own: the heap would
// keep what is freed between longer-lived pieces, and of a mapping only the pages count that were
// touched, one or two for small records. The fields used are those of the 2.28 long-term series,
// whose layout is fixed; with any other library nothing is given back.
#pragma once

#include <mbedtls/ssl.h>

#include <array>
#include <cstdint>

namespace sluice::drivers {

class RecordBuffers {
 public:
  // Order: only after the handshake. What is in the middle of a record stays.
  void give_back(mbedtls_ssl_context& ssl);
  // Order: before every call of the library. False: no memory.
  bool take(mbedtls_ssl_context& ssl);
  // Order: last, before mbedtls_ssl_free, which frees only what the library allocated.
  void drop(mbedtls_ssl_context& ssl);

 private:
  static constexpr size_t kPlaces = 5;  // ctr, hdr, len, iv, msg
  using Places = std::array<uint16_t, kPlaces>;

  Places in_{};
  Places out_{};
  std::array<unsigned char, 8> in_counter_{};
  bool in_is_mapped_ = false;  // else it is the library's
  bool out_is_mapped_ = false;
};

}  // namespace sluice::drivers
