#include "drivers/mbedtls/tls_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "drivers/mbedtls/reason.h"

namespace sluice::drivers {

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {
  mbedtls_ssl_init(&ssl_);
  const int code = mbedtls_ssl_setup(&ssl_, &context_->config());
  is_set_up_ = code == 0;
  if (!is_set_up_) why_ = reason(code);
  mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
}

TlsSession::~TlsSession() {
  buffers_.drop(ssl_);
  mbedtls_ssl_free(&ssl_);
}

int TlsSession::send(void* session, const unsigned char* bytes, size_t size) noexcept {
  static_cast<TlsSession*>(session)->outgoing_.append(reinterpret_cast<const char*>(bytes), size);
  return static_cast<int>(size);
}

int TlsSession::receive(void* session, unsigned char* into, size_t most) noexcept {
  std::string_view& input = static_cast<TlsSession*>(session)->input_;
  if (input.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  const size_t count = std::min(most, input.size());
  std::memcpy(into, input.data(), count);
  input.remove_prefix(count);
  return static_cast<int>(count);
}

TlsSession::Step TlsSession::step_of(int code) {
  if (code >= 0) return Step::done;
  if (code == MBEDTLS_ERR_SSL_WANT_READ) return Step::wants_more;
  if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return Step::ended;
  why_ = reason(code);
  return Step::failed;
}

bool TlsSession::wake() {
  if (is_set_up_ && buffers_.take(ssl_)) return true;
  why_ = "out of memory";
  return false;
}

TlsSession::Step TlsSession::handshake() {
  if (!wake()) return Step::failed;
  return step_of(mbedtls_ssl_handshake(&ssl_));
}

TlsSession::Step TlsSession::read(std::span<char> into, size_t* count) {
  if (!wake()) return Step::failed;
  auto* start = reinterpret_cast<unsigned char*>(into.data());
  const int code = mbedtls_ssl_read(&ssl_, start, into.size());
  if (code == 0) return Step::ended;
  if (code > 0) *count = static_cast<size_t>(code);
  return step_of(code);
}

bool TlsSession::write(std::string_view text) {
  if (!wake()) return false;
  while (!text.empty()) {
    const int code =
        mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    if (step_of(code) != Step::done) return false;
    text.remove_prefix(static_cast<size_t>(code));
  }
  return true;
}

void TlsSession::close_notify() {
  if (wake()) (void)mbedtls_ssl_close_notify(&ssl_);
}

void TlsSession::rest() {
  buffers_.give_back(ssl_);
  if (outgoing_.empty()) std::string().swap(outgoing_);
}

std::string TlsSession::words() const {
  return fmt::format("{} {}", mbedtls_ssl_get_version(&ssl_), mbedtls_ssl_get_ciphersuite(&ssl_));
}

}  // namespace sluice::drivers
