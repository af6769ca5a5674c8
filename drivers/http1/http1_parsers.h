// The strict HTTP/1.1 parsers of this folder behind the port.
#pragma once

#include "firmware/ports/http_parser.h"

namespace sluice::drivers {

class Http1Parsers final : public ports::HttpParsers {
 public:
  std::unique_ptr<ports::HttpRequestParser> request_parser(
      const ports::HttpLimits& limits) override;
  std::unique_ptr<ports::HttpResponseParser> response_parser(
      const ports::HttpLimits& limits) override;
};

}  // namespace sluice::drivers
