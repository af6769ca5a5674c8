// What libcurl's result codes mean to the caller and to people.
// Codes: https://curl.se/libcurl/c/libcurl-errors.html
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "firmware/ports/http_client.h"

namespace sluice::drivers {

struct CurlEnd {
  CURLcode code = CURLE_OK;
  long os_errno = 0;      // of a failed connect; 0 if there is none
  std::string_view note;  // libcurl's error buffer
};

// `origin` is the peer as a URL, without path: it starts the text.
Error to_error(const CurlEnd& end, std::string_view origin);

}  // namespace sluice::drivers
