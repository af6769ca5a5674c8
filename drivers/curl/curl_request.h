// An HttpCallSpec as libcurl options.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "firmware/base/result.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/outbound_way.h"

namespace sluice::drivers {

struct EasyDelete {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyPtr = std::unique_ptr<CURL, EasyDelete>;

struct FieldListDelete {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using FieldList = std::unique_ptr<curl_slist, FieldListDelete>;

// Refuses what would let bytes of the spec become another request: control characters, a target
// that is no path.
Result<void> check_spec(const ports::HttpCallSpec& spec);

// The fields as sent; those that libcurl would add by itself are suppressed.
FieldList field_list(const ports::HttpCallSpec& spec);

// Everything but callbacks and fields. `ca_file` may be empty.
// Only a GET may use a connection again: libcurl sends a request a second time, by itself, when a
// reused connection turns out to be dead.
void set_options(CURL* easy, const ports::HttpCallSpec& spec, const std::string& ca_file);

// CURL_IPRESOLVE_*: of names, the addresses that the way's source can reach.
long families_of(const ports::OutboundWay& way);
// The way on a socket of libcurl's that is not yet connected.
Result<void> set_outbound(curl_socket_t socket, const ports::OutboundWay& way);

}  // namespace sluice::drivers
