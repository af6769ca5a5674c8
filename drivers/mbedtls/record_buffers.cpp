#include "drivers/mbedtls/record_buffers.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl_internal.h>
#include <mbedtls/version.h>
#include <sys/mman.h>

#include <algorithm>

namespace sluice::drivers {

namespace {

static_assert(MBEDTLS_VERSION_MAJOR == 2 && MBEDTLS_VERSION_MINOR == 28,
              "the fields below are those of mbedTLS 2.28");

// The library that is loaded may be another than the headers.
bool library_fits() {
  const unsigned series = mbedtls_version_get_number() >> 16;
  return series == 0x021c && mbedtls_version_check_feature("MBEDTLS_ZLIB_SUPPORT") != 0 &&
         mbedtls_version_check_feature("MBEDTLS_SSL_DTLS_CONNECTION_ID") != 0 &&
         mbedtls_version_check_feature("MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH") != 0;
}

using Pointers = std::array<unsigned char**, 5>;

Pointers in_pointers(mbedtls_ssl_context& ssl) {
  return {&ssl.in_ctr, &ssl.in_hdr, &ssl.in_len, &ssl.in_iv, &ssl.in_msg};
}

Pointers out_pointers(mbedtls_ssl_context& ssl) {
  return {&ssl.out_ctr, &ssl.out_hdr, &ssl.out_len, &ssl.out_iv, &ssl.out_msg};
}

void free_buffer(unsigned char*& buffer, size_t size, bool is_mapped) {
  if (buffer == nullptr) return;
  if (is_mapped) {
    ::munmap(buffer, size);
  } else {
    mbedtls_platform_zeroize(buffer, size);
    mbedtls_free(buffer);
  }
  buffer = nullptr;
}

void note_places(const unsigned char* buffer, const Pointers& pointers,
                 std::array<uint16_t, 5>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    places[i] = static_cast<uint16_t>(*pointers[i] - buffer);
    *pointers[i] = nullptr;
  }
}

bool renew(unsigned char*& buffer, size_t size, const Pointers& pointers,
           const std::array<uint16_t, 5>& places) {
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  buffer = static_cast<unsigned char*>(mapped);
  for (size_t i = 0; i < places.size(); ++i) *pointers[i] = buffer + places[i];
  return true;
}

bool is_between_records(const mbedtls_ssl_context& ssl) {
  return ssl.in_left == 0 && ssl.in_offt == nullptr && ssl.in_hslen == 0 &&
         ssl.keep_current_message == 0;
}

}  // namespace

void RecordBuffers::give_back(mbedtls_ssl_context& ssl) {
  static const bool kFits = library_fits();
  if (!kFits || ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) return;
  if (ssl.in_buf != nullptr && is_between_records(ssl)) {
    std::copy_n(ssl.in_ctr, in_counter_.size(), in_counter_.begin());
    note_places(ssl.in_buf, in_pointers(ssl), in_);
    free_buffer(ssl.in_buf, MBEDTLS_SSL_IN_BUFFER_LEN, in_is_mapped_);
  }
  if (ssl.out_buf != nullptr && ssl.out_left == 0) {
    note_places(ssl.out_buf, out_pointers(ssl), out_);
    free_buffer(ssl.out_buf, MBEDTLS_SSL_OUT_BUFFER_LEN, out_is_mapped_);
  }
}

bool RecordBuffers::take(mbedtls_ssl_context& ssl) {
  if (ssl.in_buf == nullptr) {
    if (!renew(ssl.in_buf, MBEDTLS_SSL_IN_BUFFER_LEN, in_pointers(ssl), in_)) return false;
    in_is_mapped_ = true;
    std::copy(in_counter_.begin(), in_counter_.end(), ssl.in_ctr);
  }
  if (ssl.out_buf != nullptr) return true;
  out_is_mapped_ = renew(ssl.out_buf, MBEDTLS_SSL_OUT_BUFFER_LEN, out_pointers(ssl), out_);
  return out_is_mapped_;
}

void RecordBuffers::drop(mbedtls_ssl_context& ssl) {
  if (in_is_mapped_) free_buffer(ssl.in_buf, MBEDTLS_SSL_IN_BUFFER_LEN, true);
  if (out_is_mapped_) free_buffer(ssl.out_buf, MBEDTLS_SSL_OUT_BUFFER_LEN, true);
}

}  // namespace sluice::drivers
