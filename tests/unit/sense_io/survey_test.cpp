#include "firmware/sense/survey.h"

#include <doctest/doctest.h>

#include "tests/unit/sense_io/probe_world.h"

namespace sluice::sense {
namespace {

struct Surveyed final : SurveySink {
  void on_surveyed(std::vector<SurveyAnswer> told) override {
    ++times;
    answers = std::move(told);
  }
  int times = 0;
  std::vector<SurveyAnswer> answers;
};

struct World {
  ProbeWorld net;
  Surveyed sink;
  ports::HttpFields credentials;
  Survey survey{net, net, *ports::parse_origin("http://10.0.0.5:8000"), credentials, {}, sink};
};

TEST_CASE("survey: paths are asked one after another, with a pause, and told in order") {
  World world;
  world.net.replies["/metrics"] = {.body = "a 1\n",
                                   .content_type = "application/openmetrics-text; version=1.0.0"};
  world.net.replies["/v1/models"] = {.status = 404, .body = "no"};
  world.survey.ask({"/metrics", "/v1/models"});
  CHECK(world.net.asked.empty());  // not inside ask()
  world.net.run_for(Duration::seconds(1));
  REQUIRE(world.sink.times == 1);
  REQUIRE(world.sink.answers.size() == 2);
  CHECK(world.sink.answers[0].is_ok());
  CHECK(world.sink.answers[0].open_metrics);
  CHECK(world.sink.answers[0].body == "a 1\n");
  CHECK_FALSE(world.sink.answers[1].is_ok());
  CHECK(world.sink.answers[1].status == 404);
  CHECK(world.net.in_flight_most == 1);
  CHECK(world.net.asked[1].at_ms - world.net.asked[0].at_ms >= kSurveyPause.as_ms());
}

TEST_CASE("survey: where nothing listens, one question is enough") {
  World world;
  world.net.replies["/a"] = {.failure = "connection refused"};
  world.survey.ask({"/a", "/b", "/c"});
  world.net.run_for(Duration::seconds(1));
  REQUIRE(world.sink.answers.size() == 1);
  CHECK(world.sink.answers[0].failure == "connection refused");
  CHECK(world.net.asked.size() == 1);
  world.survey.ask({"/d"});  // and it can be asked again
  world.net.run_for(Duration::seconds(1));
  CHECK(world.sink.times == 2);
}

TEST_CASE("survey: who answers nothing in time is asked a few times only") {
  World world;
  for (const char* path : {"/a", "/b", "/c", "/d"}) {
    world.net.replies[path] = {.delay = Duration::seconds(60)};
  }
  world.survey.ask({"/a", "/b", "/c", "/d"});
  world.net.run_for(Duration::seconds(120));
  REQUIRE(world.sink.times == 1);
  CHECK(world.sink.answers.size() <= kSurveySilencesMax);
  CHECK_FALSE(world.sink.answers.back().failure.empty());
}

TEST_CASE("survey: an answer larger than is read is none, and the next is asked") {
  World world;
  world.net.replies["/a"] = {.body =
                                 std::string(static_cast<size_t>(kSurveyBodyMax.count) + 1, 'x')};
  world.net.replies["/b"] = {.body = "b 1\n"};
  world.survey.ask({"/a", "/b"});
  world.net.run_for(Duration::seconds(1));
  REQUIRE(world.sink.answers.size() == 2);
  CHECK_FALSE(world.sink.answers[0].is_ok());
  CHECK(world.sink.answers[1].is_ok());
}

}  // namespace
}  // namespace sluice::sense
