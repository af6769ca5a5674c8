// The TLS of one connection, without the connection: ciphertext is fed in, text comes out, and the
// other way round. What is to be sent gathers in outgoing(), one record for each write up to 16 KB.
#pragma once

#include <mbedtls/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "drivers/mbedtls/record_buffers.h"
#include "drivers/mbedtls/tls_context.h"

namespace sluice::drivers {

class TlsSession {
 public:
  enum class Step { done, wants_more, ended, failed };

  explicit TlsSession(std::shared_ptr<const TlsContext> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // `bytes` must stay valid until all has been read, or the next feed.
  void feed(std::string_view bytes) { input_ = bytes; }
  std::string_view unread() const { return input_; }

  // Until it is done; never again afterwards. An error may leave an alert in outgoing().
  Step handshake();
  // Order: until it wants more, also after the handshake: only then the last record is done with.
  // done: *count bytes of text are in `into`, which holds a whole record (kRecordMax).
  // ended: the peer said that nothing more follows (close_notify).
  Step read(std::span<char> into, size_t* count);
  // False: failed.
  bool write(std::string_view text);
  void close_notify();

  std::string& outgoing() { return outgoing_; }
  // Gives memory back; the next call takes it again.
  void rest();
  const std::string& why() const { return why_; }  // it failed
  std::string words() const;                       // for the log: version and cipher suite

  static constexpr size_t kRecordMax = 16384;
  static constexpr size_t kOutgoingKept = 65536;

 private:
  static int send(void* session, const unsigned char* bytes, size_t size) noexcept;
  static int receive(void* session, unsigned char* into, size_t most) noexcept;
  Step step_of(int code);
  bool wake();

  const std::shared_ptr<const TlsContext> context_;
  mbedtls_ssl_context ssl_;
  RecordBuffers buffers_;
  bool is_set_up_ = false;
  std::string_view input_;
  std::string outgoing_;
  std::string why_;
};

}  // namespace sluice::drivers
