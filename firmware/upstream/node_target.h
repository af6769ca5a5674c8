// How to speak to one node: where it is, how to prove who we are, which path serves what.
#pragma once

#include <string>
#include <string_view>

#include "firmware/ports/http_client.h"
#include "firmware/ports/http_message.h"
#include "firmware/upstream/endpoint.h"

namespace sluice::upstream {

struct NodeTarget {
  ports::HttpOrigin origin;
  std::string credential_field;  // name of the header field; empty: none needed
  std::string credential_value;  // secret
};

// The header fields of a request to `target`, made from the client's: hop-by-hop fields, the
// client's credentials, cookies and our own x-sluice-* stay behind; the rest passes (RFC 9110
// section 7.6.1). `upstream_id` is our id of this attempt, sent as x-request-id.
ports::HttpFields fields_for(const NodeTarget& target, const ports::HttpFields& from_client,
                             std::string_view upstream_id, bool stream);

// The header fields of an answer that pass on to the client.
ports::HttpFields fields_for_client(const ports::HttpFields& from_node);

// Path and query of a request to `target`. `client_query` is what the client sent after its '?', of
// which all passes as it is, but for parameters that are named like a credential; empty: no query.
std::string target_path(const NodeTarget& target, Endpoint endpoint, std::string_view client_query);

}  // namespace sluice::upstream
