#include "firmware/proxy/request_ask.h"

#include <doctest/doctest.h>

#include "tests/script/world.h"

namespace sluice::proxy {

namespace {

struct Asking {
  std::variant<valve::Ask, ApiError> make() const {
    return make_ask(world.proxy, tenant, {endpoint, body, 42, world.clock.now()});
  }
  valve::Ask ask() const {
    const auto made = make();
    REQUIRE(std::holds_alternative<valve::Ask>(made));
    return std::get<valve::Ask>(made);
  }
  ApiError error() const {
    const auto made = make();
    REQUIRE(std::holds_alternative<ApiError>(made));
    return std::get<ApiError>(made);
  }
  script::World world;
  Tenant tenant;
  upstream::Endpoint endpoint = upstream::Endpoint::chat_completions;
  upstream::RequestBody body = [] {
    upstream::RequestBody read;
    read.model = "m";
    read.prompt_bytes = 10;
    return read;
  }();
};

}  // namespace

TEST_CASE("request ask: four bytes of prompt are a token, rounded up") {
  CHECK(estimate_tokens(0).count == 0);
  CHECK(estimate_tokens(1).count == 1);
  CHECK(estimate_tokens(4).count == 1);
  CHECK(estimate_tokens(5).count == 2);
}

TEST_CASE("request ask: it carries what the key and the body say") {
  Asking asking;
  asking.tenant.key = "k7";
  asking.tenant.priority = valve::Priority::high;
  asking.tenant.deadline = Duration::seconds(9);
  asking.tenant.level.ttft_max = Duration::ms(333);
  asking.body.stream = true;
  asking.body.output_max = {50};
  asking.body.choices = 3;
  const valve::Ask ask = asking.ask();
  CHECK(ask.id == 42);
  CHECK(ask.key == "k7");
  CHECK(ask.model == "m");
  CHECK(ask.prompt_tokens.count == 3);
  CHECK(ask.output_tokens_max.count == 150);
  CHECK(ask.stream);
  CHECK(ask.priority == valve::Priority::high);
  CHECK(ask.level.ttft_max == Duration::ms(333));
  CHECK(ask.deadline == ask.arrived + Duration::seconds(9));
  CHECK_FALSE(ask.stays_home);
  CHECK(ask.may_use.size() == 3);
}

TEST_CASE("request ask: home-only data may use local nodes only") {
  Asking asking;
  asking.tenant.data_class = govern::DataClass::home_only;
  const valve::Ask ask = asking.ask();
  CHECK(ask.stays_home);
  CHECK(ask.may_use == valve::NodeSet::from_bits(1));
}

TEST_CASE("request ask: a node that takes no internal data is left out for it") {
  Asking asking;
  asking.world.proxy.nodes[valve::NodeId{1}].data.accepts_internal = false;
  CHECK_FALSE(asking.ask().may_use.has({1}));
  asking.tenant.data_class = govern::DataClass::open;
  CHECK(asking.ask().may_use.has({1}));
}

TEST_CASE("request ask: where no node may be given the data it is 403") {
  Asking asking;
  asking.tenant.data_class = govern::DataClass::home_only;
  asking.world.proxy.nodes.erase(valve::NodeId{0});
  const ApiError error = asking.error();
  CHECK(error.status == 403);
  CHECK(error.code == "data_class");
  CHECK(error.message.find("home-only") != std::string::npos);
  CHECK_FALSE(error.may_retry);
}

TEST_CASE("request ask: a model that nobody serves is 404") {
  Asking asking;
  asking.body.model = "unheard";
  CHECK(asking.error().status == 404);
  CHECK(asking.error().code == "model_not_found");
}

TEST_CASE(
    "request ask: a model that the key may not use cannot be told from one that is not there") {
  Asking asking;
  asking.tenant.models = {"other"};
  const ApiError hidden = asking.error();
  asking.tenant.models.clear();
  asking.body.model = "unheard";
  ApiError absent = asking.error();
  CHECK(hidden.status == absent.status);
  CHECK(hidden.code == absent.code);
  absent.message.replace(absent.message.find("unheard"), 7, "m");
  CHECK(hidden.message == absent.message);
}

TEST_CASE("request ask: only nodes that speak the endpoint may be used; without one it is 404") {
  Asking asking;
  asking.endpoint = upstream::Endpoint::rerank;
  asking.world.proxy.nodes[valve::NodeId{0}].speaks.remove(upstream::Endpoint::rerank);
  asking.world.proxy.nodes[valve::NodeId{2}].speaks.remove(upstream::Endpoint::rerank);
  CHECK(asking.ask().may_use == valve::NodeSet::from_bits(2));
  asking.tenant.data_class = govern::DataClass::home_only;
  const ApiError error = asking.error();
  CHECK(error.status == 404);
  CHECK(error.code == "endpoint_not_served");
  CHECK(error.message.find("/v1/rerank") != std::string::npos);
}

}  // namespace sluice::proxy
