#include "firmware/ports/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace sluice::ports {

namespace {

Error bad_url(std::string_view url, std::string_view why) {
  return {
      ErrorKind::refused, "url",
      fmt::format("\"{}\" {}; write http://host:port or https://host[:port][/prefix]", url, why)};
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool names_version(std::string_view base_path) {
  const std::vector<std::string_view> segments = split(base_path, '/');
  return std::any_of(segments.begin(), segments.end(), [](std::string_view one) {
    return one.size() >= 2 && one[0] == 'v' && one[1] >= '0' && one[1] <= '9';
  });
}

}  // namespace

std::string path_at(const HttpOrigin& origin, std::string_view path) {
  constexpr std::string_view kVersion = "/v1";
  std::string_view base = origin.base_path;
  if (path.substr(0, 4) == "/v1/") {
    if (names_version(base)) path.remove_prefix(kVersion.size());
  } else if (base.size() >= kVersion.size() &&
             base.substr(base.size() - kVersion.size()) == kVersion) {
    base.remove_suffix(kVersion.size());
  }
  return std::string(base) + std::string(path);
}

std::string HttpOrigin::text() const {
  return (tls ? "https://" : "http://") + authority + base_path;
}

Result<HttpOrigin> parse_origin(std::string_view url) {
  HttpOrigin origin;
  std::string_view rest = url;
  if (starts_with_ignoring_case(rest, "http://")) {
    rest.remove_prefix(7);
  } else if (starts_with_ignoring_case(rest, "https://")) {
    rest.remove_prefix(8);
    origin.tls = true;
  } else {
    return bad_url(url, "does not start with http:// or https://");
  }
  for (char c : rest) {
    if (c <= ' ' || c == 0x7f) return bad_url(url, "contains a blank or control character");
  }
  if (rest.find('@') != std::string_view::npos) {
    return Error{ErrorKind::refused, "url",
                 "the URL contains '@': credentials belong in a file or environment variable"};
  }
  if (rest.find_first_of("?#") != std::string_view::npos)
    return bad_url(url, "has a query or fragment");
  const size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) {
    std::string_view path = rest.substr(slash);
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    origin.base_path = std::string(path);
  }
  std::string_view host = authority;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_url(url, "has an unfinished [address]");
    host = authority.substr(1, close - 1);
    const std::string_view after = authority.substr(close + 1);
    if (!after.empty() && after.front() != ':') return bad_url(url, "has text after ]");
    if (!after.empty()) port = after.substr(1);
    if (!after.empty() && port.empty()) return bad_url(url, "has an empty port");
  } else {
    const size_t colon = authority.find(':');
    host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = authority.substr(colon + 1);
      if (port.empty()) return bad_url(url, "has an empty port");
    }
    for (char c : host) {
      if (!is_host_char(c)) return bad_url(url, "has a strange host name");
    }
  }
  if (host.empty()) return bad_url(url, "has no host");
  origin.address.host = std::string(host);
  origin.address.port = origin.tls ? 443 : 80;
  if (!port.empty()) {
    const auto number = to_integer(port);
    if (!number || *number < 1 || *number > 65535) return bad_url(url, "has an impossible port");
    origin.address.port = static_cast<uint16_t>(*number);
  }
  origin.authority = std::string(authority);
  return origin;
}

}  // namespace sluice::ports
