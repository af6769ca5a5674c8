#include <doctest/doctest.h>

#include "firmware/ports/json.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;

namespace {

std::string message_of(const KeptAnswer& answer) {
  const auto body = ports::parse_json(answer.body);
  REQUIRE(body);
  const ports::JsonValue* error = body->find("error");
  REQUIRE(error != nullptr);
  return std::string(error->text("message"));
}

}  // namespace

TEST_CASE("page door: only names of this machine are answered") {
  DoorUnderTest door;
  for (const char* host : {"localhost", "LOCALHOST:8081", "127.0.0.1:1", "[::1]", "[::1]:65535"}) {
    CAPTURE(host);
    CHECK(door.ask("GET", "/", {{"Host", host}}).status == 200);
    CHECK(door.ask("GET", "/api/v1/status", {{"Host", host}}).status == 200);
  }
  for (const char* host :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.nip.example",
        "localhost:", "localhost:80a", "127.0.0.1@evil.example", "192.168.1.2", "[::1", "[::1]x"}) {
    CAPTURE(host);
    for (const char* path : {"/", "/api/v1/status", "/api/v1/keys", "/nothing"}) {
      const KeptAnswer answer = door.ask("GET", path, {{"Host", host}, kBearer});
      CHECK(answer.status == 403);
      CHECK(message_of(answer).find("http://localhost") != std::string::npos);
    }
  }
}

TEST_CASE("page door: every answer forbids the browser everything that the page does not need") {
  DoorUnderTest door;
  for (const char* path : {"/", "/app.js", "/api/v1/status", "/api/v1/keys", "/nothing"}) {
    const KeptAnswer answer = door.ask("GET", path);
    CAPTURE(path);
    CHECK(answer.fields.get("content-security-policy") ==
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
          "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'");
    CHECK(answer.fields.get("x-content-type-options") == "nosniff");
    CHECK(answer.fields.get("referrer-policy") == "no-referrer");
    CHECK(answer.fields.find("access-control-allow-origin") == nullptr);
  }
}

TEST_CASE("page door: files come whole once, and not again while they are the same") {
  DoorUnderTest door;
  const KeptAnswer first = door.ask("GET", "/");
  CHECK(first.body == "<!doctype html>");
  CHECK(first.length == first.body.size());
  CHECK(first.fields.get("content-type") == "text/html; charset=utf-8");
  CHECK(first.fields.get("cache-control") == "no-cache");
  CHECK(door.ask("GET", "/index.html").body == first.body);
  CHECK(door.ask("GET", "/app.js").fields.get("content-type") == "text/javascript; charset=utf-8");
  CHECK(door.ask("GET", "/app.css").fields.get("content-type") == "text/css; charset=utf-8");

  const std::string tag(first.fields.get("etag"));
  CHECK(tag.size() == 34);
  const KeptAnswer again = door.ask("GET", "/", {{"If-None-Match", "\"other\", W/" + tag}});
  CHECK(again.status == 304);
  CHECK(again.body.empty());
  CHECK(again.ended);
  CHECK(door.ask("GET", "/app.js", {{"If-None-Match", tag}}).status == 200);
  CHECK(door.ask("POST", "/").status == 405);
  CHECK(door.ask("GET", "/../app.js").status == 404);
}

TEST_CASE("page door: a command needs the right token") {
  DoorUnderTest door;
  const KeptAnswer none = door.ask("GET", "/api/v1/keys");
  CHECK(none.status == 401);
  CHECK(none.fields.get("www-authenticate") == "Bearer");
  for (const char* given : {"Bearer the-right-tokeN", "Bearer ", "Bearer the-right-token2",
                            "Basic x", "the-right-token"}) {
    CAPTURE(given);
    const KeptAnswer answer = door.ask("POST", "/api/v1/reload", {{"Authorization", given}});
    CHECK(answer.status == 401);
    CHECK(answer.body.find("right-tok") == std::string::npos);
  }
  CHECK(door.box.asked.empty());
  CHECK(door.ask("POST", "/api/v1/reload", {kBearer}).status == 200);
  CHECK(door.ask("POST", "/api/v1/reload", {{"authorization", "bearer the-right-token"}}).status ==
        200);
  CHECK(door.box.asked.size() == 2);
}

TEST_CASE("page door: without a token file no command is taken, not even with an empty token") {
  DoorUnderTest door(Door::page, "");
  for (const char* given : {"Bearer ", "Bearer x", ""}) {
    const KeptAnswer answer = door.ask("POST", "/api/v1/reload", {{"Authorization", given}});
    CHECK(answer.status == 403);
    CHECK(message_of(answer).find("admin.token_file") != std::string::npos);
  }
  CHECK(door.box.asked.empty());
  CHECK(door.ask("GET", "/api/v1/status").status == 200);
}

TEST_CASE("page door: what another site's page asks is refused, token or not") {
  DoorUnderTest door;
  const std::vector<ports::HttpField> foreign[] = {
      {kBearer, {"Origin", "http://evil.example"}},
      {kBearer, {"Origin", "null"}},
      {kBearer, {"Origin", "http://127.0.0.1:3000"}},
      {kBearer, {"Origin", "https://127.0.0.1:8081"}},
      {kBearer, {"Sec-Fetch-Site", "cross-site"}},
      {kBearer, {"Sec-Fetch-Site", "same-site"}},
      {kBearer, {"Origin", "http://127.0.0.1:8081"}, {"Sec-Fetch-Site", "cross-site"}},
  };
  for (const auto& fields : foreign) {
    CHECK(door.ask("POST", "/api/v1/reload", fields).status == 403);
    CHECK(door.ask("GET", "/api/v1/events", fields).status == 403);
  }
  CHECK(door.box.asked.empty());
  CHECK(door.ask("POST", "/api/v1/reload",
                 {kBearer, {"Origin", "http://127.0.0.1:8081"}, {"Sec-Fetch-Site", "same-origin"}})
            .status == 200);
  CHECK(door.ask("GET", "/", {{"Sec-Fetch-Site", "cross-site"}}).status == 200);  // a link
}

TEST_CASE("admin socket: commands without a token, no page, and only on the socket itself") {
  DoorUnderTest door(Door::admin_socket, "");
  CHECK(door.ask("POST", "/api/v1/reload", {{"Host", "anything"}}).status == 200);
  CHECK(door.ask("GET", "/api/v1/status").status == 200);
  CHECK(door.ask("GET", "/").status == 404);
  door.door = Door::page;  // the peer comes over the network now
  CHECK(door.ask("POST", "/api/v1/reload").status == 403);
  CHECK(door.box.asked.size() == 1);
}

TEST_CASE("routes: unknown paths and wrong methods are told, with what is answered") {
  DoorUnderTest door(Door::admin_socket);
  CHECK(door.ask("GET", "/api/v1/nothing").status == 404);
  CHECK(door.ask("GET", "/api/v1/status/").status == 404);
  CHECK(door.ask("DELETE", "/api/v1/keys/").status == 404);
  const KeptAnswer wrong = door.ask("GET", "/api/v1/settings/valve.overflow");
  CHECK(wrong.status == 405);
  CHECK(wrong.fields.get("allow") == "PUT, DELETE");
  CHECK(door.ask("DELETE", "/api/v1/keys/%zz").status == 400);
  CHECK(door.ask("GET", "/api/v1/status?a=%4").status == 400);
}
