#include "drivers/uapi/uapi_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "firmware/ports/crypto.h"

namespace sluice::drivers {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr int64_t kKeepaliveMax = 65535;  // seconds
constexpr int kAddressTaken = -98;        // EADDRINUSE

void line(SecretText& out, std::string_view key, std::string_view value) {
  out.append(key);
  out.append("=");
  out.append(value);
  out.append("\n");
}

void key_line(SecretText& out, std::string_view key, const ports::WgKey& bytes) {
  std::array<char, 64> hex;
  for (size_t i = 0; i < bytes.size(); ++i) {
    hex[2 * i] = kHex[bytes[i] >> 4];
    hex[2 * i + 1] = kHex[bytes[i] & 15];
  }
  line(out, key, {hex.data(), hex.size()});
  ::explicit_bzero(hex.data(), hex.size());
}

Error refuse(std::string text) { return {ErrorKind::refused, "uapi", std::move(text)}; }
Error broken(std::string text) { return {ErrorKind::broken, "uapi", std::move(text)}; }

// The program's log quotes the line after one that it did not accept: so no line that can fail
// stands before a secret one.
Result<void> add_peer(SecretText& out, const ports::WgPeerChange& peer) {
  key_line(out, "public_key", peer.public_key);
  if (peer.remove) {
    line(out, "remove", "true");
    return {};
  }
  if (peer.update_only) line(out, "update_only", "true");
  if (peer.preshared) key_line(out, "preshared_key", peer.preshared->reveal());
  if (peer.endpoint) line(out, "endpoint", peer.endpoint->text());
  if (peer.keepalive) {
    const int64_t seconds = peer.keepalive->as_us() / 1000000;
    if (seconds < 0 || seconds > kKeepaliveMax || Duration::seconds(seconds) != *peer.keepalive) {
      return refuse("a keepalive is whole seconds, 0 to 65535");
    }
    line(out, "persistent_keepalive_interval", std::to_string(seconds));
  }
  if (peer.replace_allowed) line(out, "replace_allowed_ips", "true");
  for (const IpPrefix& prefix : peer.allowed) {
    if (prefix.length < 0 || prefix.length > prefix.address.bits()) {
      return refuse("the length of an allowed prefix is out of range");
    }
    line(out, "allowed_ip", prefix.network().text());
  }
  return {};
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number out = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return out;
}

bool parse_key(std::string_view text, ports::WgKey& out) {
  if (text.size() != 2 * out.size()) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t high = kHex.find(text[2 * i]);
    const size_t low = kHex.find(text[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

// A get's answer, line by line. Each step: false when the line cannot be.
class StateReader {
 public:
  explicit StateReader(std::string_view interface) { state_.interface = interface; }

  bool take(std::string_view key, std::string_view value) {
    if (key == "errno") return (code_ = number<int>(value)).has_value();
    if (code_) return false;  // it is the last
    if (key == "public_key") return begin_peer(value);
    return state_.peers.empty() ? take_device(key, value) : take_peer(key, value);
  }
  std::optional<int> code() const { return code_; }
  ports::WgState take_state() { return std::move(state_); }

 private:
  bool begin_peer(std::string_view value) {
    if (state_.peers.size() >= kUapiPeersMax) return false;
    seconds_ = 0;
    return parse_key(value, state_.peers.emplace_back().public_key);
  }

  bool take_device(std::string_view key, std::string_view value) {
    if (key == "private_key") return take_private(value);
    if (key == "listen_port") return take_number(value, state_.listen_port);
    if (key == "fwmark") return take_number(value, state_.mark);
    return true;
  }

  bool take_private(std::string_view value) {
    ports::WgKey bytes{};
    const bool sound = parse_key(value, bytes);
    const std::string_view key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (sound && bytes != ports::WgKey{}) {
      const std::string own = ports::x25519_public(key);
      std::copy_n(own.begin(), std::min(own.size(), state_.public_key.size()),
                  state_.public_key.begin());
    }
    ::explicit_bzero(bytes.data(), bytes.size());
    return sound;
  }

  bool take_peer(std::string_view key, std::string_view value) {
    ports::WgPeerState& peer = state_.peers.back();
    if (key == "preshared_key") return take_preshared(value);
    if (key == "endpoint") return (peer.endpoint = IpEndpoint::parse(value)).has_value();
    if (key == "allowed_ip") return take_allowed(value);
    if (key == "rx_bytes") return take_number(value, peer.received_bytes);
    if (key == "tx_bytes") return take_number(value, peer.sent_bytes);
    if (key == "persistent_keepalive_interval") {
      uint16_t seconds = 0;
      if (!take_number(value, seconds)) return false;
      peer.keepalive = Duration::seconds(seconds);
    }
    if (key == "last_handshake_time_sec") return take_handshake(value, 0);
    if (key == "last_handshake_time_nsec") return take_handshake({}, number<int64_t>(value));
    return true;
  }

  // The two halves come one after the other; both zero: never.
  bool take_handshake(std::string_view seconds, std::optional<int64_t> nanoseconds) {
    if (!seconds.empty()) {
      const auto told = number<int64_t>(seconds);
      if (!told || *told < 0 || *told > int64_t{1} << 40) return false;
      seconds_ = *told;
    }
    if (!nanoseconds || *nanoseconds < 0 || *nanoseconds >= 1000000000) return false;
    if (seconds_ == 0 && *nanoseconds == 0) return true;
    state_.peers.back().last_handshake = Date::from_us(seconds_ * 1000000 + *nanoseconds / 1000);
    return true;
  }

  bool take_preshared(std::string_view value) {
    ports::WgKey bytes{};
    const bool sound = parse_key(value, bytes);
    state_.peers.back().has_preshared = bytes != ports::WgKey{};
    ::explicit_bzero(bytes.data(), bytes.size());
    return sound;
  }

  bool take_allowed(std::string_view value) {
    const auto prefix = IpPrefix::parse(value);
    if (!prefix || ++allowed_ > kUapiAllowedMax) return false;
    state_.peers.back().allowed.push_back(*prefix);
    return true;
  }

  template <class Number>
  bool take_number(std::string_view value, Number& out) {
    const auto told = number<Number>(value);
    out = told.value_or(out);
    return told.has_value();
  }

  ports::WgState state_;
  std::optional<int> code_;
  int64_t seconds_ = 0;
  size_t allowed_ = 0;
};

}  // namespace

Result<SecretText> uapi_set_text(const ports::WgChange& change) {
  SecretText out;
  out.append("set=1\n");
  if (change.private_key) key_line(out, "private_key", change.private_key->reveal());
  if (change.listen_port) line(out, "listen_port", std::to_string(*change.listen_port));
  if (change.mark) line(out, "fwmark", std::to_string(*change.mark));
  for (const ports::WgPeerChange& peer : change.peers) {
    if (auto done = add_peer(out, peer); !done) return done.error();
  }
  out.append("\n");
  return out;
}

bool is_whole_uapi_answer(std::string_view text) { return text.ends_with("\n\n"); }

Result<ports::WgState> parse_uapi_state(std::string_view interface, std::string_view answer) {
  if (answer.size() > kUapiAnswerMax) return broken("the answer is too long");
  StateReader reader(interface);
  while (!answer.empty() && answer != "\n") {
    const size_t end = answer.find('\n');
    const size_t equals = answer.find('=');
    if (end == std::string_view::npos || equals >= end ||
        !reader.take(answer.substr(0, equals), answer.substr(equals + 1, end - equals - 1))) {
      return broken("the answer is not one of WireGuard's control protocol");
    }
    answer.remove_prefix(end + 1);
  }
  if (answer.empty() || !reader.code()) return broken("the answer has no end");
  if (*reader.code() == kAddressTaken) {
    return refuse("the UDP port is taken by another program");
  }
  if (*reader.code() != 0) {
    return refuse("a value was not accepted (errno " + std::to_string(*reader.code()) +
                  "); what stood before it has taken effect");
  }
  return reader.take_state();
}

Result<void> parse_uapi_set_answer(std::string_view answer) {
  const auto state = parse_uapi_state("", answer);
  if (!state) return state.error();
  return {};
}

}  // namespace sluice::drivers
