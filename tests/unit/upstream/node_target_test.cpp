#include "firmware/upstream/node_target.h"

#include <doctest/doctest.h>

#include <string>

using namespace sluice;
using namespace sluice::upstream;
using ports::HttpFields;

namespace {

HttpFields fields(std::initializer_list<std::pair<const char*, const char*>> list) {
  HttpFields out;
  for (const auto& [name, value] : list) out.add(name, value);
  return out;
}

NodeTarget target_with_key() {
  NodeTarget target;
  target.credential_field = "authorization";
  target.credential_value = "Bearer node-secret";
  return target;
}

std::string all(const HttpFields& list) {
  std::string text;
  for (const auto& field : list) text += field.name + "=" + field.value + "\n";
  return text;
}

std::string path(const char* base, Endpoint endpoint = Endpoint::chat_completions) {
  NodeTarget target;
  target.origin.base_path = base;
  return target_path(target, endpoint, "");
}

}  // namespace

TEST_CASE("node target: what belongs to the hop or to this site stays behind") {
  const HttpFields out = fields_for(target_with_key(),
                                    fields({{"Host", "box"},
                                            {"Content-Length", "12"},
                                            {"Connection", "close"},
                                            {"Keep-Alive", "5"},
                                            {"TE", "trailers"},
                                            {"Trailer", "x"},
                                            {"Upgrade", "h2c"},
                                            {"Transfer-Encoding", "gzip"},
                                            {"Proxy-Connection", "x"},
                                            {"Expect", "100"},
                                            {"Accept-Encoding", "br"},
                                            {"Cookie", "sid=1"},
                                            {"X-Forwarded-For", "1"},
                                            {"Forwarded", "for=1"},
                                            {"X-Real-IP", "1.2.3.4"},
                                            {"X-Sluice-Class", "a"},
                                            {"x-sluice-priority", "low"},
                                            {"X-Request-Id", "client"},
                                            {"User-Agent", "curl"},
                                            {"Content-Type", "text/x"},
                                            {"OpenAI-Beta", "yes"}}),
                                    "r-1", false);
  CHECK(all(out) ==
        "User-Agent=curl\nContent-Type=text/x\nOpenAI-Beta=yes\naccept-encoding=identity\n"
        "x-request-id=r-1\nauthorization=Bearer node-secret\n");
}

TEST_CASE("node target: the client's credentials never pass, under whatever name") {
  const HttpFields client = fields({{"Authorization", "Bearer CLIENT"},
                                    {"AUTHORIZATION", "Basic CLIENT"},
                                    {"X-Api-Key", "CLIENT"},
                                    {"Api-Key", "CLIENT"},
                                    {"Proxy-Authorization", "CLIENT"},
                                    {"Cookie", "CLIENT"},
                                    {"X-Node-Key", "CLIENT"}});
  NodeTarget target = target_with_key();
  target.credential_field = "x-node-key";
  target.credential_value = "node-secret";
  const std::string out = all(fields_for(target, client, "r", true));
  CHECK(out.find("CLIENT") == std::string::npos);
  CHECK(out.find("x-node-key=node-secret\n") != std::string::npos);
  NodeTarget open;
  const std::string none = all(fields_for(open, fields({{"Authorization", "CLIENT"}}), "r", true));
  CHECK(none.find("CLIENT") == std::string::npos);
  CHECK(none.find("uthorization") == std::string::npos);
}

TEST_CASE("node target: fields that Connection names belong to the hop") {
  const HttpFields out = fields_for(target_with_key(),
                                    fields({{"Connection", "close, X-One ,x-two"},
                                            {"Connection", "X-Three"},
                                            {"x-one", "1"},
                                            {"X-Two", "2"},
                                            {"x-three", "3"},
                                            {"x-four", "4"}}),
                                    "r", false);
  CHECK(out.find("x-one") == nullptr);
  CHECK(out.find("x-two") == nullptr);
  CHECK(out.find("x-three") == nullptr);
  CHECK(out.get("x-four") == "4");
  const HttpFields evil =
      fields_for(target_with_key(), fields({{"Connection", "authorization"}}), "r", false);
  CHECK_MESSAGE(evil.get("authorization") == "Bearer node-secret", "a client cannot remove ours");
}

TEST_CASE("node target: the body's type is always said, and a stream asked for as one") {
  const HttpFields out = fields_for(NodeTarget(), fields({{"Accept", "*/*"}}), "r", true);
  CHECK(out.get("content-type") == "application/json");
  CHECK(out.get("accept") == "text/event-stream");
  CHECK(fields_for(NodeTarget(), fields({{"Accept", "*/*"}}), "r", false).get("accept") == "*/*");
}

TEST_CASE("node target: what an answer may tell the client") {
  const HttpFields out = fields_for_client(fields({{"Content-Type", "application/json"},
                                                   {"Content-Length", "5"},
                                                   {"Transfer-Encoding", "chunked"},
                                                   {"Connection", "x-hop"},
                                                   {"X-Hop", "1"},
                                                   {"Set-Cookie", "a=b"},
                                                   {"X-Request-Id", "node"},
                                                   {"X-Sluice-Node", "another box"},
                                                   {"Retry-After", "3"}}));
  CHECK(all(out) == "Content-Type=application/json\nRetry-After=3\n");
}

TEST_CASE("node target: a base path with a version is not given another") {
  CHECK(path("") == "/v1/chat/completions");
  CHECK(path("", Endpoint::completions) == "/v1/completions");
  CHECK(path("", Endpoint::embeddings) == "/v1/embeddings");
  CHECK(path("/v1") == "/v1/chat/completions");
  CHECK(path("/proxy") == "/proxy/v1/chat/completions");
  CHECK(path("/compatible-mode/v1") == "/compatible-mode/v1/chat/completions");
  CHECK(path("/api/v3") == "/api/v3/chat/completions");
  CHECK(path("/api/paas/v4", Endpoint::embeddings) == "/api/paas/v4/embeddings");
  CHECK(path("/v1beta/openai") == "/v1beta/openai/chat/completions");
  CHECK(path("/vllm") == "/vllm/v1/chat/completions");
  CHECK(path("/dev1") == "/dev1/v1/chat/completions");
}

TEST_CASE("node target: the client's query goes on, but for what is named like a credential") {
  NodeTarget target;
  target.origin.base_path = "/proxy";
  const auto at = [&target](const char* query) {
    return target_path(target, Endpoint::messages, query);
  };
  CHECK(at("") == "/proxy/v1/messages");
  CHECK(at("beta=true") == "/proxy/v1/messages?beta=true");
  CHECK(at("include[]=a%20b&&x&y=/?=") == "/proxy/v1/messages?include[]=a%20b&&x&y=/?=");
  CHECK(at("key=secret") == "/proxy/v1/messages");
  CHECK(at("API_KEY=secret&beta=true&access_token=secret") == "/proxy/v1/messages?beta=true");
  CHECK(at("beta=true&Token&keys=2") == "/proxy/v1/messages?beta=true&keys=2");
}

TEST_CASE("node target: endpoints have the names of their objects") {
  CHECK(std::string(name_of(Endpoint::chat_completions)) == "chat.completions");
  CHECK(std::string(name_of(Endpoint::completions)) == "completions");
  CHECK(std::string(name_of(Endpoint::embeddings)) == "embeddings");
}
