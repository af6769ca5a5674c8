// Who calls an origin: the lean client for plain HTTP, or one over TLS for each file of certificate
// authorities. Made when first wanted, and kept.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "drivers/curl/curl_client.h"
#include "drivers/uv/loop.h"
#include "firmware/ports/http_client.h"

namespace sluice::box {

class HttpClients {
 public:
  // `way`: that those over TLS leave by; `plain` leaves by the same.
  HttpClients(drivers::UvLoop& loop, ports::HttpClient& plain, ports::OutboundWay way = {})
      : loop_(loop), plain_(plain), way_(std::move(way)) {}

  // `ca_file`: of further authorities; may be empty. Lifetime: all calls end before this.
  ports::HttpClient& of(const ports::HttpOrigin& origin, const std::string& ca_file);

 private:
  drivers::UvLoop& loop_;
  ports::HttpClient& plain_;
  const ports::OutboundWay way_;
  std::map<std::string, std::unique_ptr<drivers::CurlClient>> tls_;  // by CA file
};

}  // namespace sluice::box
