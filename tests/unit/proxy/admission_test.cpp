#include "firmware/proxy/admission.h"

#include <doctest/doctest.h>

#include "tests/script/memory.h"

namespace sluice::proxy {

namespace {

struct Gate {
  Gate() {
    identity::ApiKey key;
    key.id = "k7";
    key.name = "lab";
    key.models = {"m"};
    key.requests_per_minute = 9;
    key.tokens_per_minute = 900;
    key.concurrency = 3;
    key.data_class = identity::DataClass::internal;
    key.deadline = Duration::seconds(20);
    key.service_level = "batch";
    key.goal = identity::KeyGoal::fast;
    key.budget = {5};
    keys.keys["secret"] = key;
    policy.levels["default"] = {};
    policy.levels["batch"] = {Duration::seconds(9), Duration::ms(500)};
  }
  Admitted come(std::vector<ports::HttpField> fields) {
    ports::HttpRequestHead head;
    for (const auto& field : fields) head.fields.add(field.name, field.value);
    return admit(head, keys, policy);
  }
  Tenant tenant(std::vector<ports::HttpField> fields) {
    fields.push_back({"authorization", "Bearer secret"});
    const Admitted admitted = come(std::move(fields));
    REQUIRE(std::holds_alternative<Tenant>(admitted));
    return std::get<Tenant>(admitted);
  }
  ApiError error(std::vector<ports::HttpField> fields) {
    const Admitted admitted = come(std::move(fields));
    REQUIRE(std::holds_alternative<ApiError>(admitted));
    return std::get<ApiError>(admitted);
  }
  script::MemoryKeys keys;
  AdmissionPolicy policy;
};

}  // namespace

TEST_CASE("admission: a key brings its name, limits, class, deadline and service level") {
  const Tenant tenant = Gate().tenant({});
  CHECK(tenant.key == "k7");
  CHECK(tenant.name == "lab");
  CHECK(tenant.limits.requests_per_minute == 9);
  CHECK(tenant.limits.tokens_per_minute == 900);
  CHECK(tenant.limits.concurrency == 3);
  CHECK(tenant.data_class == govern::DataClass::internal);
  CHECK(tenant.deadline == Duration::seconds(20));
  CHECK(tenant.level.tpot_max == Duration::ms(500));
  CHECK(tenant.goal == valve::Goal::fast);
  CHECK(tenant.budget == Money{5});
  CHECK(tenant.may_use_model("m"));
  CHECK_FALSE(tenant.may_use_model("other"));
}

TEST_CASE("admission: the key is also taken from x-api-key, and Bearer in any case") {
  Gate gate;
  CHECK(std::holds_alternative<Tenant>(gate.come({{"X-Api-Key", "secret"}})));
  CHECK(std::holds_alternative<Tenant>(gate.come({{"Authorization", "bearer  secret "}})));
}

TEST_CASE("admission: no key and an unknown key are 401 and not to be retried") {
  Gate gate;
  for (const ApiError& error : {gate.error({}), gate.error({{"authorization", "Bearer wrong"}}),
                                gate.error({{"authorization", "Basic secret"}})}) {
    CHECK(error.status == 401);
    CHECK(error.type == "authentication_error");
    CHECK_FALSE(error.may_retry);
    CHECK(error.message.find("wrong") == std::string::npos);
  }
}

TEST_CASE("admission: where no key is asked for anybody is anonymous, under the box's deadline") {
  Gate gate;
  gate.policy.require_key = false;
  for (const Admitted& admitted : {gate.come({}), gate.come({{"x-api-key", "wrong"}})}) {
    const Tenant& tenant = std::get<Tenant>(admitted);
    CHECK(tenant.key == "anonymous");
    CHECK(tenant.deadline == gate.policy.deadline);
    CHECK(tenant.may_use_model("anything"));
  }
  CHECK(gate.tenant({}).key == "k7");  // who has a key is known by it
}

TEST_CASE("admission: a service level that settings no longer name becomes the default one") {
  Gate gate;
  gate.keys.keys["secret"].service_level = "gone";
  CHECK(gate.tenant({}).level == valve::ServiceLevel());
}

TEST_CASE("admission: a key without a goal has the box's") {
  Gate gate;
  gate.keys.keys["secret"].goal.reset();
  gate.policy.goal = valve::Goal::green;
  CHECK(gate.tenant({}).goal == valve::Goal::green);
}

TEST_CASE("admission: header fields tighten") {
  const Tenant tenant = Gate().tenant({{"x-sluice-data-class", "home-only"},
                                       {"X-Sluice-Priority", "low"},
                                       {"x-sluice-deadline-ms", "1500"}});
  CHECK(tenant.data_class == govern::DataClass::home_only);
  CHECK(tenant.priority == valve::Priority::low);
  CHECK(tenant.deadline == Duration::ms(1500));
}

TEST_CASE("admission: header fields never loosen") {
  Gate gate;
  gate.keys.keys["secret"].data_class = identity::DataClass::home_only;
  const Tenant tenant = gate.tenant({{"x-sluice-data-class", "open"},
                                     {"x-sluice-priority", "high"},
                                     {"x-sluice-deadline-ms", "86400000"}});
  CHECK(tenant.data_class == govern::DataClass::home_only);
  CHECK(tenant.priority == valve::Priority::normal);
  CHECK(tenant.deadline == Duration::seconds(20));
}

TEST_CASE("admission: of several fields of one name the strictest counts, in any order") {
  Gate gate;
  using Fields = std::vector<ports::HttpField>;
  const ports::HttpField loose{"x-sluice-data-class", "open"};
  const ports::HttpField strict{"x-sluice-data-class", "home-only"};
  CHECK(gate.tenant(Fields{loose, strict}).data_class == govern::DataClass::home_only);
  CHECK(gate.tenant(Fields{strict, loose}).data_class == govern::DataClass::home_only);
}

TEST_CASE("admission: a value that is not understood is 400 and names the field") {
  Gate gate;
  const std::vector<ports::HttpField> bad = {
      {"x-sluice-data-class", "secret"},    {"x-sluice-data-class", ""},
      {"x-sluice-data-class", "Home-Only"}, {"x-sluice-priority", "urgent"},
      {"x-sluice-deadline-ms", "0"},        {"x-sluice-deadline-ms", "-5"},
      {"x-sluice-deadline-ms", "1s"},       {"x-sluice-deadline-ms", "86400001"}};
  for (const ports::HttpField& field : bad) {
    CAPTURE(field.name + ": " + field.value);
    const ApiError error = gate.error({field, {"x-api-key", "secret"}});
    CHECK(error.status == 400);
    CHECK(error.type == "invalid_request_error");
    CHECK(error.message.find(field.name) == 0);
    CHECK_FALSE(error.may_retry);
  }
}

TEST_CASE("admission: a refusal by a limit tells the limit and when to come back") {
  const KeyLimits limits{5, 700, 2};
  const ApiError requests = limit_error({LimitHit::requests, Duration::seconds(3)}, limits);
  CHECK(requests.status == 429);
  CHECK(requests.type == "rate_limit_error");
  CHECK(requests.retry_after == Duration::seconds(3));
  CHECK(requests.may_retry);
  CHECK(requests.message.find("5 requests") != std::string::npos);
  CHECK(limit_error({LimitHit::tokens, {}}, limits).message.find("700 tokens") !=
        std::string::npos);
  CHECK(limit_error({LimitHit::concurrency, {}}, limits).message.find("2 requests at a time") !=
        std::string::npos);
}

}  // namespace sluice::proxy
