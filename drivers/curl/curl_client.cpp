#include "drivers/curl/curl_client.h"

#include <curl/curl.h>

#include "drivers/curl/curl_call.h"

namespace sluice::drivers {

CurlClient::CurlClient(uv_loop_t* loop, std::string ca_file, ports::OutboundWay way)
    : ca_file_(std::move(ca_file)), way_(std::move(way)) {
  ENSURE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);  // counted by libcurl
  multi_ = std::make_unique<CurlMulti>(loop);
}

CurlClient::~CurlClient() {
  multi_.reset();
  curl_global_cleanup();
}

std::unique_ptr<ports::HttpCall> CurlClient::call(ports::HttpCallSpec spec,
                                                  ports::HttpCallSink& sink) {
  return std::make_unique<CurlCall>(*multi_, ca_file_, way_, std::move(spec), sink);
}

}  // namespace sluice::drivers
