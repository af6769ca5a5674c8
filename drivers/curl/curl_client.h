// HttpClient over libcurl: TLS, names. For plain HTTP on the LAN there
// is a leaner client; this one speaks it too.
// HTTP/1.1, identity coding, no redirects; the peer's certificate is checked against the system's
// CAs. Lifetime: all calls end before the client, the client before the loop.
#pragma once

#include <memory>
#include <string>

#include "drivers/curl/curl_multi.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::drivers {

class CurlClient final : public ports::HttpClient {
 public:
  // `ca_file`: PEM certificates of further CAs (a private cloud's); may be empty.
  // `way`: that all its connections leave by; of names only addresses of its source's family.
  explicit CurlClient(uv_loop_t* loop, std::string ca_file = "", ports::OutboundWay way = {});
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override;

 private:
  std::string ca_file_;
  ports::OutboundWay way_;
  std::unique_ptr<CurlMulti> multi_;
};

}  // namespace sluice::drivers
