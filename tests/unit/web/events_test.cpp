#include <doctest/doctest.h>

#include "firmware/ports/json.h"
#include "firmware/web/event_stream.h"
#include "tests/unit/web/world.h"

using namespace sluice;
using namespace sluice::web;

namespace {

struct Event {
  std::string name;
  ports::JsonValue value;
};

// What the answer holds, read as a browser reads it; the answer's body is emptied.
std::vector<Event> events_in(KeptAnswer& answer) {
  std::vector<Event> events;
  std::string_view rest = answer.body;
  while (!rest.empty()) {
    const size_t data = rest.find("\ndata: ");
    const size_t end = rest.find("\n\n");
    REQUIRE(rest.starts_with("event: "));
    REQUIRE(data < end);
    REQUIRE(end != std::string_view::npos);
    auto value = ports::parse_json(rest.substr(data + 7, end - data - 7));
    REQUIRE(value);
    events.push_back({std::string(rest.substr(7, data - 7)), *value});
    rest.remove_prefix(end + 2);
  }
  answer.body.clear();
  return events;
}

}  // namespace

TEST_CASE("events: a status at once and every half second, decisions from now on, oldest first") {
  DoorUnderTest door;
  door.decisions.add();
  KeptAnswer answer;
  const auto stream = door.open(answer, "GET", "/api/v1/events");
  CHECK(answer.status == 0);
  stream->on_body_end();
  CHECK(answer.status == 200);
  CHECK(!answer.length);
  CHECK(answer.fields.get("content-type") == "text/event-stream");
  auto events = events_in(answer);
  REQUIRE(events.size() == 1);
  CHECK(events[0].name == "status");

  door.time.pass(Duration::ms(499));
  CHECK(answer.body.empty());
  door.decisions.add();
  door.decisions.add();
  door.time.pass(Duration::ms(1));
  events = events_in(answer);
  REQUIRE(events.size() == 3);
  CHECK(events[0].name == "decision");
  CHECK(events[0].value.integer("id") == 2);
  CHECK(events[1].value.integer("id") == 3);
  CHECK(events[2].name == "status");

  door.time.pass(Duration::seconds(2));
  events = events_in(answer);
  CHECK(events.size() == 4);
  for (const Event& event : events) CHECK(event.name == "status");
}

TEST_CASE("events: of many decisions in one period the newest are told") {
  DoorUnderTest door;
  KeptAnswer answer;
  const auto stream = door.open(answer, "GET", "/api/v1/events");
  stream->on_body_end();
  events_in(answer);
  for (int i = 0; i < 100; ++i) door.decisions.add();
  door.time.pass(kEventPeriod);
  const auto events = events_in(answer);
  REQUIRE(events.size() == kEventDecisionsMax + 1);
  CHECK(events[0].value.integer("id") == 100 - static_cast<int64_t>(kEventDecisionsMax) + 1);
  CHECK(events[kEventDecisionsMax - 1].value.integer("id") == 100);
}

TEST_CASE("events: a client that reads slowly misses statuses, and is cut off in the end") {
  DoorUnderTest door;
  KeptAnswer answer;
  const auto stream = door.open(answer, "GET", "/api/v1/events");
  stream->on_body_end();
  events_in(answer);
  answer.backlog = kEventBacklogMax + 1;
  door.decisions.add();
  door.time.pass(kEventPeriod * kEventSkipsMax);
  CHECK(answer.body.empty());
  CHECK(!answer.ended);
  answer.backlog = 0;
  door.time.pass(kEventPeriod);
  const auto events = events_in(answer);
  REQUIRE(events.size() == 2);
  CHECK(events[0].value.integer("id") == 1);

  answer.backlog = kEventBacklogMax + 1;
  door.time.pass(kEventPeriod * kEventSkipsMax);
  CHECK(!answer.ended);
  door.time.pass(kEventPeriod);
  CHECK(answer.was_cut);
  CHECK(door.time.running() == 0);
}

TEST_CASE("events: the stream stops when the client leaves") {
  DoorUnderTest door;
  KeptAnswer answer;
  const auto stream = door.open(answer, "GET", "/api/v1/events");
  stream->on_body_end();
  events_in(answer);
  stream->on_client_gone();
  door.time.pass(Duration::seconds(5));
  CHECK(answer.body.empty());
  CHECK(!answer.ended);
  CHECK(door.time.running() == 0);
}

TEST_CASE("events: streams are bounded, and a place comes free when one goes") {
  DoorUnderTest door;
  std::vector<KeptAnswer> answers(kEventStreamsMax);
  std::vector<std::unique_ptr<ports::HttpActivity>> streams;
  for (KeptAnswer& answer : answers) {
    streams.push_back(door.open(answer, "GET", "/api/v1/events"));
    streams.back()->on_body_end();
    CHECK(answer.status == 200);
  }
  CHECK(door.ask("GET", "/api/v1/events").status == 503);
  streams.pop_back();
  CHECK(door.ask("GET", "/api/v1/events").status == 200);
}

TEST_CASE("events: at stop every stream ends within a period, and none begins") {
  DoorUnderTest door;
  KeptAnswer answer;
  const auto stream = door.open(answer, "GET", "/api/v1/events");
  stream->on_body_end();
  door.service.finish_streams();
  CHECK(!answer.ended);
  door.time.pass(kEventPeriod);
  CHECK(answer.ended);
  CHECK(!answer.was_cut);
  CHECK(door.ask("GET", "/api/v1/events").status == 503);
}
