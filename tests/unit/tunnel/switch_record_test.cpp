#include "firmware/tunnel/switch_record.h"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace sluice;
using namespace sluice::tunnel;

namespace {

SwitchRecord usual() {
  SwitchRecord record;
  record.number = 7;
  record.at = Date::from_us(1'790'000'000'123'456);
  record.traffic = TrafficClass::bulk;
  record.from = "fibre/pop1/udp4";
  record.to = "lte/pop1/tcp443";
  record.reason = Reason::path_dead;
  record.cause = DeathCause::unanswered;
  record.gap = Duration::us(328'400);
  record.probes_lost = 9;
  record.packets_lost = 164;
  record.others = {{"fibre/pop1/udp4", WhyNot::dead}, {"dsl/pop2/udp6", WhyNot::damped}};
  return record;
}

}  // namespace

TEST_CASE("switch: a record is one line of JSON that is read back") {
  SwitchRecord record = usual();
  const std::string line = to_line(record);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find("\"reason\":\"path_dead\"") != std::string::npos);
  CHECK(line.find("\"gap_us\":328400") != std::string::npos);
  const auto read = parse_switch(line);
  REQUIRE(read);
  CHECK(*read == record);
  record.cause.reset();
  record.from.clear();
  record.packets_lost = -1;
  record.drill = true;
  record.others.clear();
  const auto again = parse_switch(to_line(record));
  REQUIRE(again);
  CHECK(*again == record);
}

TEST_CASE("switch: a line that is cut or says what is not known is refused") {
  const std::string line = to_line(usual());
  for (size_t size = 0; size < line.size(); ++size) {
    CHECK_FALSE(parse_switch(line.substr(0, size)));
  }
  const auto with = [&line](const std::string& from, const std::string& to) {
    std::string changed = line;
    changed.replace(changed.find(from), from.size(), to);
    return parse_switch(changed).has_value();
  };
  CHECK(with("fibre", "cable"));
  CHECK_FALSE(with("path_dead", "path_sad"));
  CHECK_FALSE(with("unanswered", "unheard"));
  CHECK_FALSE(with("\"bulk\"", "\"voice\""));
  CHECK_FALSE(with("damped", "wet"));
  CHECK_FALSE(with("\"number\":7", "\"number\":-7"));
  CHECK_FALSE(parse_switch("{}"));
}

TEST_CASE("switch: the record of a choice tells gap, cause and why not the others") {
  const Instant now = Instant::from_us(10'000'000'000);
  std::vector<PathView> paths(3);
  for (int i = 0; i < 3; ++i) {
    PathView& path = paths[static_cast<size_t>(i)];
    path.name = {"wan" + std::to_string(i), "pop", Transport::udp4};
    path.number = i;
    path.state = i == 0 ? PathState::dead : PathState::good;
    path.proof = now - Duration::ms(i == 0 ? 330 : 50);
  }
  paths[2].metered = true;
  ChoiceAsk ask;
  ask.standing.path = 0;
  const Choice choice = choose(ask, paths, now, PathSettings());
  REQUIRE(choice.moved);
  const SwitchRecord record =
      record_of(choice, TrafficClass::interactive, paths, now, DeathCause::carrier_lost, 4);
  CHECK(record.from == "wan0/pop/udp4");
  CHECK(record.to == "wan1/pop/udp4");
  CHECK(record.gap == Duration::ms(330));
  CHECK(record.probes_lost == 4);
  CHECK(record.others == std::vector<SwitchRecord::Other>{{"wan0/pop/udp4", WhyNot::dead},
                                                          {"wan2/pop/udp4", WhyNot::metered}});
  CHECK(explain(record).en ==
        "Interactive traffic moved from wan0/pop/udp4 to wan1/pop/udp4: its uplink lost carrier; "
        "the last answer by the old path was 330 ms before");
}

TEST_CASE("switch: words in both languages, with what was lost when that is known") {
  const Words words = explain(usual());
  CHECK(words.en ==
        "Bulk traffic moved from fibre/pop1/udp4 to lte/pop1/tcp443: a burst of probes had no "
        "answer; the last answer by the old path was 328 ms before; about 164 packets were lost");
  CHECK(words.zh.find("批量流量从 fibre/pop1/udp4 切换到 lte/pop1/tcp443") == 0);
  CHECK(words.zh.find("164") != std::string::npos);
}

TEST_CASE("switch: packets of a gap by their rate, never negative or beyond measure") {
  CHECK(packets_in(Duration::ms(330), 500) == 165);
  CHECK(packets_in(Duration(), 500) == 0);
  CHECK(packets_in(Duration::seconds(1), -3) == 0);
  CHECK(packets_in(Duration::seconds(1'000'000), 1e12) == 1'000'000'000'000);
}
