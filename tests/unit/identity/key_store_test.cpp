#include "firmware/identity/key_store.h"

#include <fmt/format.h>

#include "firmware/identity/key_file.h"
#include "firmware/identity/key_secret.h"
#include "firmware/ports/crypto.h"
#include "tests/unit/identity/key_world.h"

using namespace sluice;
using namespace sluice::identity;

namespace {

std::vector<ApiKey> many(size_t count) {
  std::vector<ApiKey> keys;
  for (size_t i = 0; i < count; ++i) {
    ApiKey key;
    key.id = fmt::format("k{:08x}", 0x10000000 + i);
    key.name = fmt::format("n{}", i);
    key.hash = ports::sha256_hex(key.name);
    keys.push_back(key);
  }
  return keys;
}

}  // namespace

TEST_CASE("key store: a secret finds its key, and is not in the file") {
  KeyWorld world;
  REQUIRE(world.store.load().has_value());
  const NewKey made = world.add("reports");
  CHECK(made.secret.size() == 47);
  CHECK(looks_like_secret(made.secret));
  CHECK(is_key_id(made.key.id));
  CHECK(made.key.created == world.calendar.date);
  const ApiKey* found = world.store.find(made.secret);
  REQUIRE(found != nullptr);
  CHECK(found->id == made.key.id);
  CHECK(world.store.find(made.secret + "x") == nullptr);
  CHECK(world.store.find("") == nullptr);
  CHECK(world.store.find(found->hash) == nullptr);
  CHECK(world.files.content.at(world.path).find(made.secret) == std::string::npos);
  CHECK(world.files.content.at(world.path).find("slk-") == std::string::npos);
}

TEST_CASE("key store: everything about a key survives a restart") {
  KeyWorld world;
  KeySpec spec;
  spec.name = "\xe6\x8a\xa5\xe8\xa1\xa8 \"q\"";
  spec.models = {"a", "b"};
  spec.requests_per_minute = 1;
  spec.tokens_per_minute = 2;
  spec.concurrency = 3;
  spec.priority = KeyPriority::high;
  spec.data_class = DataClass::home_only;
  spec.deadline = Duration::ms(1500);
  spec.service_level = "gold";
  spec.goal = KeyGoal::green;
  spec.budget = {7};
  const Result<NewKey> made = world.store.add(spec);
  REQUIRE(made.has_value());
  world.add("other");
  world.calendar.date = world.calendar.date + Duration::seconds(5);
  REQUIRE(world.store.revoke("other").has_value());

  KeyStore again = world.make();
  REQUIRE(again.load().has_value());
  REQUIRE(again.list().size() == 2);
  const ApiKey* key = again.find(made->secret);
  REQUIRE(key != nullptr);
  CHECK(key->name == spec.name);
  CHECK(key->models == spec.models);
  CHECK(key->requests_per_minute == 1);
  CHECK(key->tokens_per_minute == 2);
  CHECK(key->concurrency == 3);
  CHECK(key->priority == KeyPriority::high);
  CHECK(key->data_class == DataClass::home_only);
  CHECK(key->deadline == Duration::ms(1500));
  CHECK(key->service_level == "gold");
  CHECK(key->goal == KeyGoal::green);
  CHECK(key->budget == Money{7});
  CHECK(key->created == made->key.created);
  CHECK(again.list()[1].revoked);
  CHECK(again.list()[1].revoked_at == world.calendar.date);
}

TEST_CASE("key store: a revoked key opens nothing, stays in the list, and frees its name") {
  KeyWorld world;
  const NewKey first = world.add("reports");
  const Result<ApiKey> revoked = world.store.revoke("reports");
  REQUIRE(revoked.has_value());
  CHECK(revoked->id == first.key.id);
  CHECK(world.store.find(first.secret) == nullptr);
  CHECK(world.store.list().at(0).revoked);
  const NewKey second = world.add("reports");
  CHECK(world.store.find(second.secret) != nullptr);
  CHECK(world.store.revoke(first.key.id).error().kind == ErrorKind::gone);
  REQUIRE(world.store.revoke(second.key.id).has_value());
  CHECK(world.store.find(second.secret) == nullptr);
  CHECK(world.store.list().size() == 2);
}

TEST_CASE("key store: two living keys have no name in common") {
  KeyWorld world;
  world.add("reports");
  KeySpec spec;
  spec.name = "reports";
  const Result<NewKey> again = world.store.add(spec);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().kind == ErrorKind::refused);
  CHECK(again.error().text ==
        "a key named \"reports\" exists; choose another name or revoke it first");
}

TEST_CASE("key store: an id that is taken is not given again") {
  KeyWorld world;
  const NewKey first = world.add("a");
  world.secrets.next = 1;
  const NewKey second = world.add("b");
  CHECK(first.key.id != second.key.id);
}

TEST_CASE("key store: a broken file is an error, and the keys known before stay") {
  KeyWorld world;
  const NewKey made = world.add("reports");
  const std::string good = world.files.content[world.path];
  for (const std::string& bad :
       {std::string(), std::string("{}"), good.substr(0, good.size() / 2), "[" + good + "]",
        std::string("{\"version\":2,\"keys\":[]}"), std::string("{\"version\":1}"),
        std::string("{\"version\":1,\"keys\":[{}]}")}) {
    CAPTURE(bad);
    world.files.content[world.path] = bad;
    const Result<void> loaded = world.store.load();
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().kind == ErrorKind::broken);
    CHECK(loaded.error().text.find("/s/keys.json: ") == 0);
    CHECK(world.store.find(made.secret) != nullptr);
    KeySpec spec;
    spec.name = "new";
    CHECK_FALSE(world.store.add(spec).has_value());
    CHECK(world.files.content[world.path] == bad);  // never written over
  }
  world.files.content[world.path] = good;
  world.files.broken = true;
  CHECK(world.store.load().error().kind == ErrorKind::broken);
  CHECK(world.store.list().size() == 1);
}

TEST_CASE("key store: a member that is missing, wrong or unknown makes the file broken") {
  KeyWorld world;
  world.add("reports");
  const std::string good = world.files.content[world.path];
  struct Edit {
    std::string from, to, says;
  };
  for (const Edit& edit : std::vector<Edit>{
           {"\"revoked\":false", "\"revoked\":0", "key 1: \"revoked\" must be true or false"},
           {"\"revoked\":false", "\"x\":0", "key 1: \"revoked\" must be there"},
           {"\"concurrency\":0", "\"concurrency\":-1", "\"concurrency\" must be a whole number"},
           {"\"internal\"", "\"secret\"", "\"data_class\" must be open, internal or home-only"},
           {"\"models\":[]", "\"models\":\"all\"", "\"models\" must be a list"},
           {"\"name\"", "\"nom\":1,\"name\"", "\"nom\" is not known here"},
           {"\"id\":\"k", "\"id\":\"K", "\"id\" must be k and 8"}}) {
    std::string text = good;
    const size_t at = text.find(edit.from);
    REQUIRE(at != std::string::npos);
    text.replace(at, edit.from.size(), edit.to);
    world.files.content[world.path] = text;
    const Result<void> loaded = world.store.load();
    REQUIRE_FALSE(loaded.has_value());
    CAPTURE(loaded.error().text);
    CHECK(loaded.error().text.find(edit.says) != std::string::npos);
  }
}

TEST_CASE("key store: two keys of one id, name or hash make the file broken") {
  std::vector<ApiKey> keys = many(2);
  CHECK(read_key_file(write_key_file(keys)).has_value());
  keys[1].name = keys[0].name;
  CHECK_FALSE(read_key_file(write_key_file(keys)).has_value());
  keys[1].revoked = true;
  CHECK(read_key_file(write_key_file(keys)).has_value());
  keys = many(2);
  keys[1].hash = keys[0].hash;
  CHECK_FALSE(read_key_file(write_key_file(keys)).has_value());
  keys = many(2);
  keys[1].id = keys[0].id;
  CHECK_FALSE(read_key_file(write_key_file(keys)).has_value());
}

TEST_CASE("key store: what cannot be written has not happened") {
  KeyWorld world;
  const NewKey made = world.add("reports");
  world.files.full = true;
  KeySpec spec;
  spec.name = "new";
  CHECK(world.store.add(spec).error().kind == ErrorKind::busy);
  CHECK(world.store.revoke("reports").error().kind == ErrorKind::busy);
  CHECK(world.store.list().size() == 1);
  CHECK(world.store.find(made.secret) != nullptr);
}

TEST_CASE("key store: a key that another program made or revoked is kept by the next command") {
  KeyWorld world;
  const NewKey mine = world.add("mine");
  KeyStore other = world.make();
  KeySpec spec;
  spec.name = "theirs";
  const Result<NewKey> theirs = other.add(spec);
  REQUIRE(theirs.has_value());
  CHECK(world.store.find(theirs->secret) == nullptr);
  REQUIRE(world.store.load().has_value());
  CHECK(world.store.find(theirs->secret) != nullptr);
  REQUIRE(other.revoke("mine").has_value());
  world.add("more");
  CHECK(world.store.find(mine.secret) == nullptr);
  CHECK(world.store.list().size() == 3);
  world.files.locked = true;
  CHECK(world.store.revoke("more").error().kind == ErrorKind::busy);
}

TEST_CASE("key store: the number of keys is bounded; the longest revoked makes room") {
  KeyWorld world;
  std::vector<ApiKey> keys = many(kKeysMax);
  world.files.content[world.path] = write_key_file(keys);
  REQUIRE(world.store.load().has_value());
  KeySpec spec;
  spec.name = "one more";
  CHECK(world.store.add(spec).error().kind == ErrorKind::refused);
  keys[5].revoked = keys[9].revoked = true;
  keys[5].revoked_at = Date::from_us(20);
  keys[9].revoked_at = Date::from_us(10);
  world.files.content[world.path] = write_key_file(keys);
  REQUIRE(world.store.add(spec).has_value());
  const std::vector<ApiKey> list = world.store.list();
  CHECK(list.size() == kKeysMax);
  CHECK(list[5].name == "n5");
  CHECK(list[9].name == "n10");
  CHECK(list.back().name == "one more");
}
