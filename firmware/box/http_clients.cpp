#include "firmware/box/http_clients.h"

namespace sluice::box {

ports::HttpClient& HttpClients::of(const ports::HttpOrigin& origin, const std::string& ca_file) {
  if (!origin.tls) return plain_;
  std::unique_ptr<drivers::CurlClient>& client = tls_[ca_file];
  if (!client) client = std::make_unique<drivers::CurlClient>(loop_.raw(), ca_file, way_);
  return *client;
}

}  // namespace sluice::box
