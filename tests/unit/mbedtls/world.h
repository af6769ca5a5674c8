// A server's end of TLS over wires that the test holds, and a real client's end of mbedTLS.
#pragma once

#include <doctest/doctest.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drivers/mbedtls/tls_context.h"
#include "drivers/mbedtls/tls_server.h"
#include "drivers/os/random.h"
#include "tests/script/fake_stream.h"
#include "tests/script/sim_time.h"

namespace sluice::drivers {

struct NotedLog final : Log {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
};

struct Heard final : ports::ByteSink {
  std::string text;
  int reads = 0;
  int ends = 0;
  int errors = 0;
  int drains = 0;
  Error error;
  std::function<void()> on_text = [] {};
  void on_bytes(std::string_view bytes) override {
    text.append(bytes);
    ++reads;
    const auto act = on_text;
    act();
  }
  void on_end() override { ++ends; }
  void on_error(const Error& what) override {
    ++errors;
    error = what;
  }
  void on_drained() override { ++drains; }
};

inline ports::OwnCertificate ordinary_wish() {
  const Date now = Date::from_us(1'790'000'000'000'000);
  return {{"box", "box.local", "localhost"},
          {{"127.0.0.1", 0, ""}, {"::1", 0, ""}},
          {now, now + Duration::seconds(86400)}};
}

struct World {
  script::SimClock clock;
  script::SimTimers timers{clock};
  OsSecrets secrets;
  NotedLog log;
  MbedTlsServer server{timers, clock, secrets, log};
  ports::TlsIdentity identity;

  World() {
    auto made = ports::make_identity(ordinary_wish(), secrets);
    REQUIRE(made.has_value());
    identity = *made;
    REQUIRE(server.use(identity).has_value());
    server.set_limits({Duration::seconds(10), 10000, 10000});
  }
};

// One connection on the server's side.
struct Served {
  std::shared_ptr<script::Wire> wire = std::make_shared<script::Wire>();
  Heard heard;
  std::unique_ptr<ports::ByteStream> stream;

  explicit Served(World& world, const std::string& host = "192.0.2.7") {
    stream = world.server.wrap(std::make_unique<script::FakeStream>(wire, host));
    stream->start(heard);
  }
  bool is_open() const { return stream != nullptr && !wire->reset && heard.errors == 0; }
};

class Client {
 public:
  struct Wishes {
    int version = MBEDTLS_SSL_MINOR_VERSION_3;
    std::vector<int> suites = {};  // ends with 0; empty: all
    std::vector<const char*> protocols = {"h2", "http/1.1", nullptr};
  };

  explicit Client(World& world) : Client(world, Wishes()) {}
  Client(World& world, Wishes wishes) : wishes_(std::move(wishes)) {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_init(&config_);
    mbedtls_x509_crt_init(&trusted_);
    const std::string& pem = world.identity.chain;
    REQUIRE(mbedtls_x509_crt_parse(&trusted_, reinterpret_cast<const unsigned char*>(pem.c_str()),
                                   pem.size() + 1) == 0);
    REQUIRE(mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT,
                                        MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_ca_chain(&config_, &trusted_, nullptr);
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_OPTIONAL);  // the date is not ours
    mbedtls_ssl_conf_rng(&config_, random_for_mbedtls, &world.secrets);
    mbedtls_ssl_conf_max_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3, wishes_.version);
    if (!wishes_.suites.empty()) {
      mbedtls_ssl_conf_ciphersuites(&config_, wishes_.suites.data());
    }
    if (wishes_.protocols.front() != nullptr) {
      REQUIRE(mbedtls_ssl_conf_alpn_protocols(&config_, wishes_.protocols.data()) == 0);
    }
    REQUIRE(mbedtls_ssl_setup(&ssl_, &config_) == 0);
    REQUIRE(mbedtls_ssl_set_hostname(&ssl_, "localhost") == 0);
    mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
  }
  ~Client() {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
    mbedtls_x509_crt_free(&trusted_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  mbedtls_ssl_context& raw() { return ssl_; }
  std::string out;  // ciphertext for the server
  std::string text;
  int code = 0;  // what ended it
  bool is_done() const { return ssl_.state == MBEDTLS_SSL_HANDSHAKE_OVER; }

  // What the server wrote goes in; what the client answers goes out. True: something moved.
  bool take(script::Wire& wire) {
    in_ += std::exchange(wire.written, {});
    const size_t before = in_.size();
    if (code == 0 && !is_done()) note(mbedtls_ssl_handshake(&ssl_));
    while (code == 0 && is_done()) {
      std::array<unsigned char, 20000> piece;
      const int count = mbedtls_ssl_read(&ssl_, piece.data(), piece.size());
      if (count > 0) text.append(reinterpret_cast<char*>(piece.data()), size_t(count));
      if (count == MBEDTLS_ERR_SSL_WANT_READ) break;
      note(count == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : count);
    }
    return in_.size() != before || !out.empty();
  }
  void say(std::string_view words) {
    while (!words.empty()) {
      const int count = mbedtls_ssl_write(
          &ssl_, reinterpret_cast<const unsigned char*>(words.data()), words.size());
      REQUIRE(count > 0);
      words.remove_prefix(size_t(count));
    }
  }
  // `piece`: so many octets of ciphertext in one read of the server.
  void exchange(Served& served, size_t piece = std::string::npos) {
    while (take(*served.wire)) {
      const std::string bytes = std::exchange(out, {});
      for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
        if (served.wire->closed || !served.is_open()) return;
        served.wire->sink->on_bytes(std::string_view(bytes).substr(at, piece));
      }
    }
  }

 private:
  void note(int result) {
    if (result < 0 && result != MBEDTLS_ERR_SSL_WANT_READ) code = result;
  }
  static int send(void* client, const unsigned char* bytes, size_t size) {
    static_cast<Client*>(client)->out.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }
  static int receive(void* client, unsigned char* into, size_t most) {
    std::string& in = static_cast<Client*>(client)->in_;
    if (in.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const size_t count = std::min(most, in.size());
    std::copy_n(in.begin(), count, into);
    in.erase(0, count);
    return static_cast<int>(count);
  }

  Wishes wishes_;
  mbedtls_ssl_context ssl_;
  mbedtls_ssl_config config_;
  mbedtls_x509_crt trusted_;
  std::string in_;
};

// The types of the records on a wire (RFC 5246 6.2.1).
inline std::vector<int> record_types(std::string_view bytes) {
  std::vector<int> types;
  while (bytes.size() >= 5) {
    const auto octet = [&bytes](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    types.push_back(octet(0));
    const size_t size = 5 + (size_t(octet(3)) << 8) + octet(4);
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  return types;
}

inline std::string pattern(size_t size) {
  std::string out(size, '\0');
  uint32_t state = 1;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

}  // namespace sluice::drivers
