#include "firmware/proxy/host_names.h"

#include <algorithm>
#include <array>

#include "firmware/base/text.h"

namespace sluice::proxy {

namespace {

// Suffixes that are never delegated in the public DNS (RFC 6761, 6762, 8375; ICANN for .internal).
constexpr std::array<std::string_view, 5> kPrivateDomains = {".localhost", ".local", ".lan",
                                                             ".internal", ".home.arpa"};

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() > end.size() &&
         equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

bool is_address(std::string_view name) {
  return name.starts_with('[') || name.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string_view without_port(std::string_view host) {
  const size_t bracket = host.find(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);  // the root
  return host;
}

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern == "*") return true;
  if (pattern.starts_with("*.")) return ends_with_ignoring_case(name, pattern.substr(1));
  return equal_ignoring_case(name, pattern);
}

}  // namespace

bool is_called(std::string_view host, const HostNames& names) {
  const std::string_view name = without_port(host);
  if (is_address(name) || name.find('.') == std::string_view::npos) return true;
  const auto under = [name](std::string_view domain) {
    return ends_with_ignoring_case(name, domain);
  };
  if (std::any_of(kPrivateDomains.begin(), kPrivateDomains.end(), under)) return true;
  if (!names.own.empty() && equal_ignoring_case(name, names.own)) return true;
  return std::any_of(names.names.begin(), names.names.end(),
                     [name](std::string_view pattern) { return matches(name, pattern); });
}

}  // namespace sluice::proxy
