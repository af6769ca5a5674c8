// What the endpoint answers itself, and whom it lets in.
#include <doctest/doctest.h>

#include "firmware/ports/json.h"
#include "tests/script/world.h"

namespace sluice::script {

namespace {

struct Front {
  Client& get(std::string target, std::string method = "GET", std::string secret = "key-internal") {
    ports::HttpRequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    if (!secret.empty()) head.fields.add("authorization", "Bearer " + secret);
    return world.open_head(head);
  }
  std::vector<std::string> models(std::string secret) {
    Client& client = get("/v1/models", "GET", std::move(secret));
    const auto body = ports::parse_json(client.body);
    REQUIRE(body.has_value());
    std::vector<std::string> names;
    for (const ports::JsonValue& model : *body->find("data")->as_array()) {
      names.push_back(std::string(model.text("id")) + " " +
                      std::string(model.text("sluice_place")));
    }
    return names;
  }
  World world;
};

}  // namespace

TEST_CASE("front: a path that is not there is 404, a wrong method 405") {
  Front front;
  CHECK(front.get("/v1/nothing").status == 404);
  CHECK(front.get("/v1/chat/completions/").status == 404);
  CHECK(front.get("/v1/chat/completions").status == 405);
  CHECK(front.get("/v1/models", "POST").status == 405);
  CHECK(front.get("/healthz", "DELETE").status == 405);
}

TEST_CASE("front: what this box does not serve is told in a sentence, in the client's shape") {
  Front front;
  for (const char* path : {"/v1/batches", "/v1/files", "/v1/files/file-1/content", "/v1/realtime",
                           "/v1/fine_tuning/jobs", "/v1/assistants"}) {
    CAPTURE(path);
    Client& client = front.get(path, "POST");
    CHECK(client.status == 501);
    CHECK(client.body.find("\"code\":\"not_available\"") != std::string::npos);
    CHECK(client.fields.get("x-should-retry") == "false");
  }
  CHECK(front.get("/v1/batchesque", "POST").status == 404);
  Client& anthropic = front.get("/v1/messages/batches", "POST");
  CHECK(anthropic.status == 501);
  CHECK(anthropic.body.starts_with("{\"type\":\"error\""));
  CHECK(front.get("/v1/messages").body.starts_with("{\"type\":\"error\""));
  CHECK(front.get("/v1/messages", "POST", "").status == 401);
}

TEST_CASE("front: it is healthy without a key, and HEAD is as good as GET") {
  Front front;
  CHECK(front.get("/healthz", "GET", "").status == 200);
  CHECK(front.get("/healthz?from=probe", "HEAD", "").status == 200);
}

TEST_CASE("front: it is ready when a node has answered, and not while none does") {
  Front front;
  CHECK(front.get("/readyz", "GET", "").status == 503);
  front.world.senses.node({0}).health(true, "", front.world.clock.now());
  CHECK(front.get("/readyz", "GET", "").status == 200);
}

TEST_CASE("front: the list of models is for keys, and says where each is served") {
  Front front;
  CHECK(front.get("/v1/models", "GET", "").status == 401);
  CHECK(front.models("key-internal") == std::vector<std::string>{"alias local", "m local"});
  front.world.keys.keys["key-internal"].models = {"m"};
  CHECK(front.models("key-internal") == std::vector<std::string>{"m local"});
  front.world.proxy.nodes.erase(valve::NodeId{0});
  CHECK(front.models("key-internal") == std::vector<std::string>{"m cloud"});
  CHECK(front.models("key-home").empty());
}

TEST_CASE("front: what is refused before the body has not entered the key's limits") {
  Front front;
  front.world.keys.keys["key-internal"].concurrency = 1;
  CHECK(front.world.open("key-internal", {}, 1'000'000).status == 413);
  CHECK(front.world.open("key-internal", {{"x-sluice-priority", "no"}}).status == 400);
  Client& client = front.world.open("key-internal");
  CHECK(client.status == 0);
  client.leave();
  front.world.settle();
  front.world.finish();
  CHECK(front.world.violations == std::vector<std::string>{});
}

TEST_CASE("front: one model by its name, as a path says it, and nobody else's") {
  Front front;
  Client& found = front.get("/v1/models/m", "GET", "key-internal");
  CHECK(found.status == 200);
  CHECK(ports::parse_json(found.body)->text("id") == "m");
  CHECK(ports::parse_json(found.body)->text("sluice_place") == "local");
  CHECK(front.get("/v1/models/%6D", "GET", "key-internal").status == 200);
  for (const char* path : {"/v1/models/mm", "/v1/models/%6", "/v1/models/x", "/v1/models/m/"}) {
    Client& lost = front.get(path, "GET", "key-internal");
    CHECK(lost.status == 404);
    CHECK(lost.body.find("\"model_not_found\"") != std::string::npos);
  }
  front.world.keys.keys["key-internal"].models = {"alias"};
  CHECK(front.get("/v1/models/m", "GET", "key-internal").status == 404);
  CHECK(front.get("/v1/models/m", "GET", "").status == 401);
}

TEST_CASE("front: every refusal has an id that the client can tell, and 405 the methods") {
  Front front;
  Client& wrong = front.get("/v1/chat/completions");
  CHECK(wrong.fields.get("allow") == "POST");
  CHECK(wrong.request_id().starts_with("req-"));
  CHECK(front.get("/v1/models", "POST").fields.get("allow") == "GET, HEAD");
  Client& other = front.get("/v1/nothing");
  CHECK(other.request_id().starts_with("req-"));
  CHECK(other.request_id() != wrong.request_id());
  CHECK(front.get("/v1/models", "GET", "").request_id().starts_with("req-"));
}

}  // namespace sluice::script
