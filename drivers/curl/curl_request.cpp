#include "drivers/curl/curl_request.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>

#include "drivers/uv/outbound.h"

namespace sluice::drivers {

using ports::HttpCallSpec;

namespace {

constexpr long kConnectMsMax = 24 * 3600 * 1000;  // libcurl takes 0 for its own default

bool is_text(std::string_view text) {  // no control characters
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool is_token(std::string_view text) {  // RFC 9110 section 5.6.2, and nothing that ends a name
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

bool is_target(std::string_view target) {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           return c > ' ' && c < 0x7f && c != '#';
         });
}

Error refuse(std::string text) { return {ErrorKind::refused, "http", std::move(text)}; }

void append(FieldList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  ENSURE(longer != nullptr);
  static_cast<void>(list.release());
  list.reset(longer);
}

long to_ms(Duration duration) {  // at least one: zero means none
  return static_cast<long>(std::max<int64_t>(duration.as_ms(), duration.is_zero() ? 0 : 1));
}

void set_method(CURL* easy, const HttpCallSpec& spec) {
  if (spec.body != nullptr || spec.method == "POST") {
    const uint64_t size = spec.body == nullptr ? 0 : spec.body->size();
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  }
  if (spec.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec.method.c_str());
}

}  // namespace

Result<void> check_spec(const HttpCallSpec& spec) {
  if (!spec.origin.address.unix_path.empty()) return refuse("a local socket cannot be called here");
  if (!is_token(spec.origin.address.host.find(':') == std::string::npos ? spec.origin.address.host
                                                                        : "v6")) {
    return refuse("the host of the call is not a name or address");
  }
  if (!is_token(spec.method)) return refuse("the method of the call is not a word");
  if (!is_target(spec.target)) return refuse("the target of the call is not a path");
  if (!is_text(spec.origin.authority))
    return refuse("the authority of the call has control characters");
  for (const ports::HttpField& field : spec.fields) {
    if (!is_token(field.name) || !is_text(field.value)) {
      return refuse("a field of the call has a bad name or control characters");
    }
  }
  return {};
}

FieldList field_list(const HttpCallSpec& spec) {
  FieldList list;
  const std::string& authority = spec.origin.authority;
  append(list, "Host: " + (authority.empty() ? spec.origin.address.text() : authority));
  for (const char* own : {"Expect", "Accept", "Content-Type", "User-Agent"}) {
    if (spec.fields.find(own) == nullptr) append(list, std::string(own) + ":");  // none at all
  }
  if (spec.fields.find("Accept-Encoding") == nullptr) append(list, "Accept-Encoding: identity");
  for (const ports::HttpField& field : spec.fields) {
    append(list, field.value.empty() ? field.name + ";" : field.name + ": " + field.value);
  }
  return list;
}

void set_options(CURL* easy, const HttpCallSpec& spec, const std::string& ca_file) {
  const std::string url =
      (spec.origin.tls ? "https://" : "http://") + spec.origin.address.text() + spec.target;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  // Where data goes is said in the settings, not by a variable that somebody once exported.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                   1L);  // a cancelled look-up of a name is not waited for
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
  set_method(easy, spec);
  if (spec.fresh_connection || spec.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  const Duration connect = spec.timeouts.connect;
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   connect.is_zero() ? kConnectMsMax : to_ms(connect));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(spec.timeouts.total));
}

long families_of(const ports::OutboundWay& way) {
  if (!way.source) return CURL_IPRESOLVE_WHATEVER;
  return way.source->family == IpAddress::Family::v4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6;
}

Result<void> set_outbound(curl_socket_t socket, const ports::OutboundWay& way) {
  int family = AF_INET;
  socklen_t size = sizeof family;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return set_way_and_source(
      socket, family == AF_INET6 ? IpAddress::Family::v6 : IpAddress::Family::v4, way, 0);
}

}  // namespace sluice::drivers
