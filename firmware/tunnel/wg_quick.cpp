#include "firmware/tunnel/wg_quick.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firmware/base/text.h"

namespace sluice::tunnel {

namespace {

constexpr int64_t kMtuLeast = 576;
constexpr int64_t kMtuMost = 65535;

Words ignored_words(std::string_view key, int line) {
  return {fmt::format("Line {}: {} is not used here and was left out.", line, key),
          fmt::format("第 {} 行：此处不使用 {}，已忽略。", line, key)};
}

// "host:port", "192.0.2.1:port" or "[2001:db8::1]:port".
bool read_endpoint(std::string_view text, WgQuickPeer& peer) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto port = to_integer(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto numeric = IpAddress::parse(host);
  const bool v6 = numeric && numeric->family == IpAddress::Family::v6;
  const bool name = host.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-_") == std::string_view::npos;
  if (!port || *port < 1 || *port > 65535 || bracketed != v6) return false;
  if (host.empty() || host.size() > kHostTextMax || (!numeric && !name)) return false;
  peer.host = std::string(host);
  peer.port = static_cast<uint16_t>(*port);
  return true;
}

class Parser {
 public:
  Result<WgQuickConfig> parse(std::string_view text) {
    if (text.size() > kWgQuickMax) return fail("it is larger than any configuration");
    while (!text.empty() && error_.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      if (++line_ > static_cast<int>(kWgQuickLinesMax)) return fail("it has too many lines");
      take_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (const WgQuickPeer& peer : out_.peers) {
      if (!error_.empty() || peer.public_key != ports::WgKey()) continue;
      line_ = peer.line;
      wrong("this [Peer] has no PublicKey");
    }
    if (!error_.empty()) return Error{ErrorKind::refused, "tunnel", error_};
    return std::move(out_);
  }

 private:
  enum class Section { none, interface, peer };

  Error fail(std::string_view what) const {
    return {ErrorKind::refused, "tunnel", fmt::format("the configuration: {}", what)};
  }
  void wrong(std::string_view what) {
    if (error_.empty()) error_ = fmt::format("line {}: {}", line_, what);
  }

  void take_line(std::string_view line) {
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) return;
    if (line.front() == '[') return open_section(line);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return wrong("it is neither [Interface], [Peer] nor Key = Value");
    }
    const std::string key = lower(trim(line.substr(0, equals)));
    const std::string_view value = trim(line.substr(equals + 1));
    if (section_ == Section::none) return wrong("it stands before [Interface] and [Peer]");
    if (value.empty()) return wrong("there is nothing behind the =");
    if (section_ == Section::interface) take_interface(key, value);
    if (section_ == Section::peer) take_peer(key, value, out_.peers.back());
  }

  void open_section(std::string_view line) {
    if (equal_ignoring_case(line, "[interface]")) {
      if (interface_seen_) return wrong("there is an [Interface] already");
      interface_seen_ = true;
      section_ = Section::interface;
    } else if (equal_ignoring_case(line, "[peer]")) {
      if (out_.peers.size() == kWgQuickPeersMax) return wrong("there are too many peers");
      section_ = Section::peer;
      seen_.clear();
      out_.peers.emplace_back().line = line_;
    } else {
      wrong("there are only [Interface] and [Peer]");
    }
  }

  void take_interface(const std::string& key, std::string_view value) {
    if (key == "privatekey") {
      const auto read = key_of("PrivateKey", value);
      if (read) out_.private_key = ports::WgSecret(*read);
    } else if (key == "address") {
      take_list("Address", value, out_.addresses);
    } else if (key == "listenport") {
      out_.listen_port = static_cast<uint16_t>(number("ListenPort", value, 0, 65535));
      ignore("ListenPort");
    } else if (key == "mtu") {
      out_.mtu = static_cast<uint16_t>(number("MTU", value, kMtuLeast, kMtuMost));
    } else if (key == "dns") {
      ignore("DNS");
    } else if (key == "table") {
      ignore("Table");
    } else if (key == "saveconfig") {
      ignore("SaveConfig");
    } else if (key == "fwmark") {
      ignore("FwMark");
    } else if (key == "preup" || key == "postup" || key == "predown" || key == "postdown") {
      wrong(
          "commands (PreUp, PostUp, PreDown, PostDown) are not run here; take the line out if the "
          "network works without it");
    } else {
      wrong("this key is not one of [Interface]");
    }
  }

  void take_peer(const std::string& key, std::string_view value, WgQuickPeer& peer) {
    if (key == "publickey") {
      const auto read = key_of("PublicKey", value);
      if (read && *read == ports::WgKey()) return wrong("PublicKey is all zero");
      if (read) peer.public_key = *read;
    } else if (key == "presharedkey") {
      const auto read = key_of("PresharedKey", value);
      if (read) peer.preshared = ports::WgSecret(*read);
    } else if (key == "allowedips") {
      take_list("AllowedIPs", value, peer.allowed);
    } else if (key == "endpoint") {
      if (!once(key)) return;
      if (!read_endpoint(value, peer)) {
        wrong("Endpoint must be name:port, 192.0.2.1:port or [2001:db8::1]:port");
      }
    } else if (key == "persistentkeepalive") {
      if (equal_ignoring_case(value, "off")) return void(peer.keepalive = Duration());
      peer.keepalive = Duration::seconds(number("PersistentKeepalive", value, 0, 65535));
    } else {
      wrong("this key is not one of [Peer]");
    }
  }

  bool once(const std::string& key) {
    if (seen_.insert((section_ == Section::peer ? "p" : "i") + key).second) return true;
    wrong("this key stands twice in its section");
    return false;
  }

  std::optional<ports::WgKey> key_of(const char* name, std::string_view value) {
    if (!once(lower(name))) return {};
    const auto key = ports::parse_wg_key(value);
    if (!key) wrong(fmt::format("{} must be 44 characters of base64, as wg genkey makes", name));
    return key;
  }

  int64_t number(const char* name, std::string_view value, int64_t least, int64_t most) {
    if (!once(lower(name))) return least;
    const auto read = to_integer(value);
    if (read && *read >= least && *read <= most) return *read;
    wrong(fmt::format("{} must be a number from {} to {}", name, least, most));
    return least;
  }

  void take_list(const char* name, std::string_view value, std::vector<IpPrefix>& out) {
    for (const std::string_view part : split(value, ',')) {
      const auto prefix = IpPrefix::parse(trim(part));
      if (!prefix) return wrong(fmt::format("{} must be networks as 10.0.0.0/8", name));
      if (out.size() == kWgQuickPrefixesMax) return wrong(fmt::format("{} are too many", name));
      out.push_back(*prefix);
    }
  }

  void ignore(const char* key) {
    if (out_.ignored.size() < kWgQuickPeersMax) out_.ignored.push_back(ignored_words(key, line_));
  }

  WgQuickConfig out_;
  Section section_ = Section::none;
  bool interface_seen_ = false;
  std::set<std::string> seen_;  // single keys of this section
  int line_ = 0;
  std::string error_;
};

}  // namespace

Result<WgQuickConfig> parse_wg_quick(std::string_view text) { return Parser().parse(text); }

}  // namespace sluice::tunnel
