// The endpoint that applications speak to: routes, admits, and answers the small questions itself.
#pragma once

#include <memory>

#include "firmware/ports/http_service.h"
#include "firmware/proxy/proxy_world.h"

namespace sluice::proxy {

class ApiFront : public ports::HttpService {
 public:
  // `metrics` answers GET /metrics.
  ApiFront(ProxyWorld& world, ports::HttpService& metrics) : world_(world), metrics_(metrics) {}

  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead& head,
                                            const ports::HttpPeer& peer,
                                            ports::HttpAnswer& answer) override;

 private:
  std::unique_ptr<ports::HttpActivity> refuse(ports::HttpAnswer& answer, const ApiError& error,
                                              ErrorShape shape = ErrorShape::openai);
  // The list, or `one` of it as a path says its name.
  void answer_models(const ports::HttpRequestHead& head, std::string_view one,
                     ports::HttpAnswer& answer);
  // Where a model is served for somebody; nothing: not for them.
  std::optional<std::string> place_of(const std::string& model, const Tenant& tenant) const;
  void answer_ready(ports::HttpAnswer& answer);
  std::unique_ptr<ports::HttpActivity> open_exchange(const ports::HttpRequestHead& head,
                                                     upstream::Endpoint endpoint,
                                                     ports::HttpAnswer& answer);

  ProxyWorld& world_;
  ports::HttpService& metrics_;
};

}  // namespace sluice::proxy
