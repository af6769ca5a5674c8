#include "drivers/http1/http1_parsers.h"

#include "drivers/http1/request_parser.h"
#include "drivers/http1/response_parser.h"

namespace sluice::drivers {

std::unique_ptr<ports::HttpRequestParser> Http1Parsers::request_parser(
    const ports::HttpLimits& limits) {
  return std::make_unique<Http1RequestParser>(limits);
}

std::unique_ptr<ports::HttpResponseParser> Http1Parsers::response_parser(
    const ports::HttpLimits& limits) {
  return std::make_unique<Http1ResponseParser>(limits);
}

}  // namespace sluice::drivers
