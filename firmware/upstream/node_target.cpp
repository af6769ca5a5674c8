#include "firmware/upstream/node_target.h"

#include <algorithm>
#include <array>
#include <vector>

#include "firmware/base/text.h"

namespace sluice::upstream {

namespace {

constexpr std::array<std::string_view, 9> kHopByHop = {"connection",
                                                       "keep-alive",
                                                       "proxy-authenticate",
                                                       "proxy-authorization",
                                                       "proxy-connection",
                                                       "te",
                                                       "trailer",
                                                       "transfer-encoding",
                                                       "upgrade"};
// What belongs to this connection, to this site, or to us.
constexpr std::array<std::string_view, 11> kStaysHere = {
    "host",   "content-length", "expect",    "accept-encoding", "authorization", "x-api-key",
    "cookie", "x-request-id",   "forwarded", "api-key",         "x-real-ip"};
constexpr std::array<std::string_view, 3> kNotForClients = {"content-length", "set-cookie",
                                                            "x-request-id"};
// A query stands in the logs of whoever receives it, and the box reads no key there.
constexpr std::array<std::string_view, 7> kSecretParameters = {
    "key", "api_key", "api-key", "apikey", "x-api-key", "access_token", "token"};

constexpr size_t kOfOurs = 4;  // fields that the box adds, usually

template <size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& list) {
  return std::any_of(list.begin(), list.end(),
                     [name](std::string_view entry) { return equal_ignoring_case(name, entry); });
}

// Fields that a Connection field names belong to the hop as well.
std::vector<std::string> named_by_connection(const ports::HttpFields& fields) {
  std::vector<std::string> names;
  for (const ports::HttpField& field : fields) {
    if (!equal_ignoring_case(field.name, "connection")) continue;
    for (const std::string_view name : split(field.value, ',')) names.emplace_back(trim(name));
  }
  return names;
}

bool is_named(std::string_view name, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& one) { return equal_ignoring_case(name, one); });
}

}  // namespace

ports::HttpFields fields_for(const NodeTarget& target, const ports::HttpFields& from_client,
                             std::string_view upstream_id, bool stream) {
  ports::HttpFields fields;
  fields.reserve(from_client.size() + kOfOurs);
  const std::vector<std::string> hop = named_by_connection(from_client);
  for (const ports::HttpField& field : from_client) {
    if (is_one_of(field.name, kHopByHop) || is_one_of(field.name, kStaysHere)) continue;
    if (starts_with_ignoring_case(field.name, "x-sluice-")) continue;
    if (starts_with_ignoring_case(field.name, "x-forwarded-")) continue;
    if (is_named(field.name, hop)) continue;
    fields.add(field.name, field.value);
  }
  if (fields.find("content-type") == nullptr) fields.add("content-type", "application/json");
  if (stream) fields.set("accept", "text/event-stream");
  fields.add("accept-encoding", "identity");
  fields.add("x-request-id", upstream_id);
  if (!target.credential_field.empty()) {
    fields.set(target.credential_field, target.credential_value);
  }
  return fields;
}

ports::HttpFields fields_for_client(const ports::HttpFields& from_node) {
  ports::HttpFields fields;
  fields.reserve(from_node.size() + kOfOurs);
  const std::vector<std::string> hop = named_by_connection(from_node);
  for (const ports::HttpField& field : from_node) {
    if (is_one_of(field.name, kHopByHop) || is_one_of(field.name, kNotForClients)) continue;
    if (starts_with_ignoring_case(field.name, "x-sluice-")) continue;  // of a box behind this one
    if (is_named(field.name, hop)) continue;
    fields.add(field.name, field.value);
  }
  return fields;
}

std::string target_path(const NodeTarget& target, Endpoint endpoint,
                        std::string_view client_query) {
  std::string path = ports::path_at(target.origin, path_of(endpoint));
  if (client_query.empty()) return path;
  char before = '?';
  for (const std::string_view parameter : split(client_query, '&')) {
    const std::string_view name = parameter.substr(0, parameter.find('='));
    if (is_one_of(name, kSecretParameters)) continue;
    path += before;
    path += parameter;
    before = '&';
  }
  return path;
}

}  // namespace sluice::upstream
