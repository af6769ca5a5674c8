#include "drivers/curl/curl_failure.h"

#include <fmt/format.h>

#include <cstring>

namespace sluice::drivers {

namespace {

Error say(ErrorKind kind, std::string_view origin, std::string_view text) {
  return {kind, "http", fmt::format("{}: {}", origin, text)};
}

std::string connect_text(const CurlEnd& end) {
  if (end.os_errno == 0) return "cannot connect; is it running, and is the address right?";
  return fmt::format("cannot connect ({}); is it running, and is the address right?",
                     std::strerror(static_cast<int>(end.os_errno)));
}

}  // namespace

Error to_error(const CurlEnd& end, std::string_view origin) {
  switch (end.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return say(ErrorKind::gone, origin, "the name is not found; check it, and this box's DNS");
    case CURLE_COULDNT_CONNECT:
      return say(ErrorKind::gone, origin, connect_text(end));
    case CURLE_OPERATION_TIMEDOUT:
      return say(ErrorKind::gone, origin, "no answer in time");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return say(
          ErrorKind::broken, origin,
          fmt::format("its certificate is not trusted ({}); check the address and this box's "
                      "date, or add the CA that signed it",
                      end.note));
    case CURLE_SSL_CACERT_BADFILE:
      return say(ErrorKind::refused, origin, "the file of CA certificates cannot be read");
    case CURLE_SSL_CONNECT_ERROR:
      return say(ErrorKind::broken, origin,
                 fmt::format("no TLS connection ({}); does it speak TLS on this port?", end.note));
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
      return say(ErrorKind::gone, origin, "the connection broke");
    case CURLE_PARTIAL_FILE:
      return say(ErrorKind::gone, origin, "the answer ended too early");
    case CURLE_OUT_OF_MEMORY:
      return say(ErrorKind::busy, origin, "out of memory");
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: the scheme has been checked before
      return say(ErrorKind::broken, origin, "its answer is not HTTP/1.1; is the port right?");
    case CURLE_URL_MALFORMAT:
      return say(ErrorKind::refused, origin, "not an address that can be called");
    default:
      return say(ErrorKind::broken, origin,
                 fmt::format("the answer cannot be read ({})", curl_easy_strerror(end.code)));
  }
}

}  // namespace sluice::drivers
