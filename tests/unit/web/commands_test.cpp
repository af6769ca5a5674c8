#include <doctest/doctest.h>

#include "firmware/ports/json.h"
#include "firmware/web/command_call.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;

TEST_CASE("keys: the secret is shown once, the hash never") {
  DoorUnderTest door(Door::admin_socket);
  const KeptAnswer made = door.ask("POST", "/api/v1/keys", {}, R"({"name":"reports 1"})");
  CHECK(made.status == 201);
  CHECK(made.fields.get("cache-control") == "no-store");
  CHECK(ports::parse_json(made.body)->text("secret") == "sk-only-once");
  CHECK(made.body.find("the-hash") == std::string::npos);

  const KeptAnswer listed = door.ask("GET", "/api/v1/keys");
  const auto list = ports::parse_json(listed.body);
  REQUIRE(list->find("keys")->as_array()->size() == 1);
  CHECK(list->find("keys")->as_array()->front().text("name") == "reports 1");
  CHECK(listed.body.find("only-once") == std::string::npos);
  CHECK(listed.body.find("the-hash") == std::string::npos);

  CHECK(door.ask("DELETE", "/api/v1/keys/reports%201").status == 200);
  CHECK(door.keys.keys.front().revoked);
  CHECK(door.ask("DELETE", "/api/v1/keys/other").status == 404);
}

TEST_CASE("keys: a wrong body is refused with its reason and changes nothing") {
  DoorUnderTest door(Door::admin_socket);
  for (const char* body : {"{", "[]", "7", "{}", R"({"name":"a","colour":"red"})",
                           R"({"name":"a","name":"b"})", R"({"name":"a","concurrency":-1})"}) {
    CAPTURE(body);
    const KeptAnswer answer = door.ask("POST", "/api/v1/keys", {}, body);
    CHECK(answer.status == 400);
    CHECK(!ports::parse_json(answer.body)->find("error")->text("message").empty());
  }
  CHECK(door.ask("POST", "/api/v1/keys").status == 400);
  CHECK(door.keys.keys.empty());
}

TEST_CASE("settings: printed as YAML, set with any JSON value, and taken back") {
  DoorUnderTest door(Door::admin_socket);
  const KeptAnswer plain = door.ask("GET", "/api/v1/settings");
  CHECK(plain.body == "a: 1\n");
  CHECK(plain.fields.get("content-type") == "text/yaml; charset=utf-8");
  CHECK(door.ask("GET", "/api/v1/settings?origin=1").body == "a: 1  # default\n");
  CHECK(door.ask("GET", "/api/v1/settings?origin=yes").status == 400);

  CHECK(door.ask("PUT", "/api/v1/settings/valve.overflow", {}, R"({"value":"off","author":"ann"})")
            .status == 200);
  CHECK(door.ask("PUT", "/api/v1/settings/nodes.gpu%2F1", {}, R"({"value":{"enabled":true}})")
            .status == 200);
  CHECK(door.ask("PUT", "/api/v1/settings/a", {}, R"({"value":null})").status == 200);
  CHECK(door.ask("PUT", "/api/v1/settings/a", {}, R"({"author":"ann"})").status == 400);
  CHECK(door.ask("DELETE", "/api/v1/settings/a?author=b%20c").status == 200);
  CHECK(door.ask("POST", "/api/v1/reload", {}, R"({"author":"ann"})").status == 200);
  CHECK(door.box.asked ==
        std::vector<std::string>{"set|valve.overflow|\"off\"|ann|",
                                 "set|nodes.gpu/1|{\"enabled\":true}|command line|",
                                 "set|a|null|command line|", "unset|a||b c|", "reload|||ann|"});
}

TEST_CASE("commands: the kind of an error becomes its status, its text is shown") {
  DoorUnderTest door(Door::admin_socket);
  const std::pair<ErrorKind, int> kinds[] = {{ErrorKind::refused, 400},
                                             {ErrorKind::gone, 404},
                                             {ErrorKind::busy, 503},
                                             {ErrorKind::unsupported, 501},
                                             {ErrorKind::broken, 500}};
  for (const auto& [kind, status] : kinds) {
    door.box.answer = Error{kind, "test", "what to do"};
    const KeptAnswer answer = door.ask("POST", "/api/v1/reload");
    CHECK(answer.status == status);
    CHECK(answer.body == R"({"error":{"message":"what to do"}})");
  }
}

TEST_CASE("commands: a body beyond its bound is refused, announced or not") {
  DoorUnderTest door(Door::admin_socket);
  KeptAnswer announced;
  door.open(announced, "POST", "/api/v1/keys", {}, kCommandBodyMax + 1);
  CHECK(announced.status == 413);

  KeptAnswer streamed;
  const auto activity = door.open(streamed, "POST", "/api/v1/keys");
  activity->on_body(std::string(kCommandBodyMax, ' '));
  CHECK(streamed.status == 0);
  activity->on_body(" ");
  CHECK(streamed.status == 413);
  activity->on_body(" ");
  CHECK(streamed.ended);

  std::string full = R"({"name":"a"})";
  full.resize(kCommandBodyMax, ' ');
  CHECK(door.ask("POST", "/api/v1/keys", {}, full).status == 201);
}

TEST_CASE("usage: the query is read, and the answer comes when the box has counted") {
  DoorUnderTest door(Door::admin_socket);
  KeptAnswer answer;
  const auto activity =
      door.open(answer, "GET", "/api/v1/usage?by=day&from=2026-11-01&to=2026-11-30&format=csv");
  activity->on_body_end();
  CHECK(answer.status == 0);
  CHECK(door.box.usage_query.by == UsageBy::day);
  CHECK(door.box.usage_query.format == UsageFormat::csv);
  CHECK(door.box.usage_query.from_day == "2026-11-01");
  CHECK(door.box.usage_query.to_day == "2026-11-30");
  door.box.usage_done(UsageText{"day,tokens\n", "text/csv"});
  CHECK(answer.status == 200);
  CHECK(answer.body == "day,tokens\n");
  CHECK(answer.fields.get("content-type") == "text/csv");
}

TEST_CASE("usage: what is wrong with a query is told, by us or by the box") {
  DoorUnderTest door(Door::admin_socket);
  for (const char* query : {"by=colour", "by=KEY", "format=pdf", "by=%"}) {
    CAPTURE(query);
    CHECK(door.ask("GET", std::string("/api/v1/usage?") + query).status == 400);
  }
  CHECK(!door.box.usage_done);

  KeptAnswer answer;
  const auto activity = door.open(answer, "GET", "/api/v1/usage?from=yesterday");
  activity->on_body_end();
  CHECK(door.box.usage_query.by == UsageBy::key);
  CHECK(door.box.usage_query.format == UsageFormat::table);
  CHECK(door.box.usage_query.from_day == "yesterday");
  CHECK(door.box.usage_query.to_day.empty());
  door.box.usage_done(Error{ErrorKind::refused, "test", "from= must be a day"});
  CHECK(answer.status == 400);
  CHECK(answer.body.find("from= must be a day") != std::string::npos);
}

TEST_CASE("usage: a result that comes after the client left is dropped") {
  DoorUnderTest door(Door::admin_socket);
  KeptAnswer left;
  auto activity = door.open(left, "GET", "/api/v1/usage");
  activity->on_body_end();
  activity->on_client_gone();
  door.box.usage_done(UsageText{"late", "text/plain"});
  CHECK(left.status == 0);

  KeptAnswer destroyed;
  activity = door.open(destroyed, "GET", "/api/v1/usage");
  activity->on_body_end();
  activity.reset();
  door.box.usage_done(Error{ErrorKind::busy, "test", "late"});
  CHECK(destroyed.status == 0);
}
