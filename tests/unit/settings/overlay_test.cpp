#include "firmware/settings/overlay.h"

#include <doctest/doctest.h>

#include "firmware/settings/load.h"
#include "firmware/settings/overlay_tree.h"
#include "firmware/settings/print.h"
#include "tests/unit/settings/files_in_memory.h"

using namespace sluice;
using namespace sluice::settings;
using ports::JsonValue;

namespace {

constexpr std::string_view kYaml =
    "valve: {overflow: auto}\n"
    "sense:\n  scrape_timeout_ms: 450\n"
    "nodes:\n"
    "  - {name: gpu, place: local, url: 'http://h:1'}\n"
    "  - {name: gpu.2, place: local, url: 'http://h:2', models: [{name: a.b}]}\n"
    "  - {name: far, place: cloud, url: 'https://h'}\n"
    "locked: [access, nodes.far.data_classes]\n";

Base base_of(std::string_view yaml = kYaml) {
  return {"sluice.yaml", *ports::parse_config(yaml, "sluice.yaml")};
}

OverlayEntry entry(std::string key, JsonValue value) {
  return {std::move(key), std::move(value), "ann", Date::from_us(0)};
}

Overlay overlay_of(std::vector<OverlayEntry> entries) { return {std::move(entries)}; }

Effective effect(const Overlay& overlay) {
  auto effective = apply(base_of(), overlay);
  REQUIRE_MESSAGE(effective.has_value(), effective.error().text);
  return *effective;
}

}  // namespace

TEST_CASE("overlay: entries change fields, elements and their fields by name") {
  const Effective effective = effect(overlay_of(
      {entry("valve.overflow", "off"), entry("service_levels.default.ttft_ms", 900),
       entry("nodes.gpu.enabled", false), entry("nodes.gpu.2.limits.concurrency", 4),
       entry("nodes.gpu.2.models.a.b.upstream", "AB"),
       entry("nodes.far.price.input_per_million", 0.5), entry("exchange_rates.USD", 7.2)}));
  CHECK(effective.problems.empty());
  const LiveSettings& live = effective.settings.live;
  CHECK(live.valve.overflow == Mode::off);
  CHECK(live.service_levels.at(0).ttft == Duration::ms(900));
  CHECK_FALSE(live.nodes.at(0).enabled);
  CHECK(live.nodes.at(1).concurrency_limit == 4);
  CHECK(live.nodes.at(1).models.at(0).upstream == "AB");
  CHECK(live.nodes.at(2).price.input_per_million == Money{500000000});
  CHECK(live.exchange_rates.size() == 1);
}

TEST_CASE("overlay: an object adds a node, and later entries change it") {
  const Effective effective = effect(overlay_of(
      {entry("nodes.new", JsonValue::object({{"place", "local"}, {"url", "http://h:9"}})),
       entry("nodes.new.engine", "vllm")}));
  CHECK(effective.problems.empty());
  REQUIRE(effective.settings.live.nodes.size() == 4);
  CHECK(effective.settings.live.nodes[3].name == "new");
  CHECK(effective.settings.live.nodes[3].engine == "vllm");
}

TEST_CASE("overlay: a wrong entry is refused with the reason") {
  struct Row {
    OverlayEntry set;
    std::string_view told;
  };
  const Row rows[] = {
      {entry("valve.overflw", "off"),
       "valve.overflw: is not a known key; did you mean \"overflow\"?"},
      {entry("listen.api", "0.0.0.0:1"),
       "listen.api: is fixed; write it into the settings file and restart"},
      {entry("listen", JsonValue::object({})),
       "listen: is fixed; write it into the settings file and restart"},
      {entry("locked", JsonValue::array()),
       "locked: is fixed; write it into the settings file and restart"},
      {entry("access.require_key", false),
       "access.require_key: is locked by \"access\" in the settings file; change it there"},
      {entry("nodes.far", JsonValue::object({{"place", "local"}, {"url", "http://h"}})),
       "nodes.far: is locked by \"nodes.far.data_classes\" in the settings file; change it there"},
      {entry("nodes", JsonValue::array()),
       "nodes: is locked by \"nodes.far.data_classes\" in the settings file; change it there"},
      {entry("valve.attempts_max", 11),
       "valve.attempts_max: 11 is outside 1..10; write a whole number from 1 to 10"},
      {entry("valve.attempts_max", JsonValue()),
       "valve.attempts_max: has no value; write one, or unset the key"},
      {entry("valve.attempts_max.x", 1),
       "valve.attempts_max.x: goes below attempts_max, which has no keys; remove \".x\""},
      {entry("nodes.nobody.enabled", false),
       "nodes.nobody.enabled: names no element of nodes; known are: gpu, gpu.2, far"},
      {entry("nodes.gpu", "x"),
       "nodes.gpu: is a whole element; write an object with its fields, or address one field"},
      {entry("nodes.gpu.name", "x"),
       "nodes.gpu.name: is what the element is known by; add a new one and disable this one "
       "instead"},
      {entry("nodes.more", JsonValue::object({{"name", "less"}})),
       "nodes.more: has another name inside, \"less\"; write the same one"},
      {entry("nodes.more", JsonValue::object({{"place", "local"}})),
       "nodes.more: nodes[3].url: is missing; write \"url: ...\" here"},
      {entry("nodes.gpu.api_key", "sk-hidden"),
       "nodes.gpu.api_key: a key never stands in the settings; put it into a file that only the "
       "service may read and write credential: {file: PATH}, or credential: {env: NAME}"},
      {entry("sense.scrape_ms", 300),
       "sense.scrape_ms: does not fit the settings file: sluice.yaml:3: sense.scrape_timeout_ms: "
       "450 is not less than sense.scrape_ms, 300; write at most 299"},
      {entry("", 1), "the key is empty, too long or not plain text"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.set.key);
    const auto changed = with_entry(base_of(), {}, row.set);
    REQUIRE_FALSE(changed.has_value());
    CHECK(changed.error().kind == ErrorKind::refused);
    CHECK(changed.error().text == row.told);
  }
}

TEST_CASE("overlay: setting a key again keeps its place, unsetting removes it") {
  auto overlay = with_entry(base_of(), {}, entry("valve.overflow", "off"));
  REQUIRE(overlay.has_value());
  overlay = with_entry(base_of(), *overlay, entry("queue.length_max", 5));
  overlay = with_entry(base_of(), *overlay, entry("valve.overflow", "auto"));
  REQUIRE(overlay->entries.size() == 2);
  CHECK(overlay->entries[0].key == "valve.overflow");
  CHECK(*overlay->entries[0].value.as_text() == "auto");
  overlay = without_entry(base_of(), *overlay, "valve.overflow");
  REQUIRE(overlay->entries.size() == 1);
  CHECK(overlay->entries[0].key == "queue.length_max");
  CHECK(without_entry(base_of(), *overlay, "valve.overflow").error().text ==
        "\"valve.overflow\": is not set in the overlay; nothing to unset");
}

TEST_CASE("overlay: an entry that another one needs cannot be unset") {
  auto overlay = with_entry(
      base_of(), {},
      entry("nodes.new", JsonValue::object({{"place", "local"}, {"url", "http://h:9"}})));
  REQUIRE(overlay.has_value());
  overlay = with_entry(base_of(), *overlay, entry("nodes.new.enabled", false));
  REQUIRE(overlay.has_value());
  const auto changed = without_entry(base_of(), *overlay, "nodes.new");
  REQUIRE_FALSE(changed.has_value());
  CHECK(changed.error().text ==
        "nodes.new: is needed by another entry: overlay by ann at 1970-01-01T00:00:00.000Z: "
        "nodes.new.enabled: names no element of nodes; known are: gpu, gpu.2, far");
}

TEST_CASE("overlay: entries that no longer fit are left out and told, the others apply") {
  const Effective effective =
      effect(overlay_of({entry("sense.scrape_ms", 300), entry("nodes.gone.enabled", false),
                         entry("valve.overflow", "sometimes"), entry("queue.length_max", 5)}));
  CHECK(effective.settings.live.queue.length_max == 5);
  CHECK(effective.settings.live.valve.overflow == Mode::automatic);
  CHECK(effective.settings.live.sense.scrape == Duration::ms(500));
  REQUIRE(effective.problems.size() == 3);
  CHECK(effective.problems[0].key == "nodes.gone.enabled");
  CHECK(effective.problems[1].sentence() ==
        "overlay by ann at 1970-01-01T00:00:00.000Z: valve.overflow: \"sometimes\" is not one of "
        "the choices; write auto or off");
  CHECK(effective.problems[2].key == "sense.scrape_ms");
}

TEST_CASE("overlay: what the file locks also binds entries made before the lock") {
  const Effective effective = effect(overlay_of({entry("access.require_key", false)}));
  CHECK(effective.settings.live.access.require_key);
  REQUIRE(effective.problems.size() == 1);
}

TEST_CASE("overlay: a wrong base is an error of its own") {
  const auto effective = apply(base_of("valv: {}"), {});
  REQUIRE_FALSE(effective.has_value());
  CHECK(effective.error().text ==
        "sluice.yaml:1: valv: is not a known key; did you mean \"valve\"?");
}

TEST_CASE("overlay: the origin of each value is known") {
  const Effective effective = effect(
      overlay_of({entry("valve.overflow", "off"), entry("service_levels.default.ttft_ms", 900)}));
  const auto origin = [&](std::string_view address) {
    return origin_of(address, effective.tree, effective.sources);
  };
  CHECK(origin("valve.overflow") == "overlay by ann at 1970-01-01T00:00:00.000Z");
  CHECK(origin("service_levels.default.ttft_ms") == "overlay by ann at 1970-01-01T00:00:00.000Z");
  CHECK(origin("service_levels.default.tpot_ms") == "default");
  CHECK(origin("sense.scrape_timeout_ms") == "sluice.yaml:3");
  CHECK(origin("nodes.gpu.2.url") == "sluice.yaml:6");
  CHECK(origin("nodes.gpu.2.enabled") == "default");
  CHECK(origin("queue.length_max") == "default");
}

TEST_CASE("overlay: written and read again it is the same") {
  FilesInMemory files;
  const Overlay overlay =
      overlay_of({{"valve.overflow", "off", "ann", Date::from_us(1234567)},
                  {"nodes.far.data_classes", JsonValue(JsonValue::Array{"open"}), "bob", Date()}});
  REQUIRE(save_overlay(files, "/state", overlay).has_value());
  const LoadedOverlay loaded = load_overlay(files, "/state");
  CHECK_FALSE(loaded.error.has_value());
  REQUIRE(loaded.overlay.entries.size() == 2);
  CHECK(loaded.overlay.entries[0].author == "ann");
  CHECK(loaded.overlay.entries[0].time == Date::from_us(1234567));
  CHECK(write_overlay(loaded.overlay) == write_overlay(overlay));
}

TEST_CASE("overlay: no file is an empty overlay") {
  FilesInMemory files;
  const LoadedOverlay loaded = load_overlay(files, "/state");
  CHECK(loaded.overlay.entries.empty());
  CHECK_FALSE(loaded.error.has_value());
}

TEST_CASE("overlay: a broken file is told, and kept when a new one is written") {
  for (const std::string broken :
       {"{\"version\":1,", "[]", "{\"version\":2,\"entries\":[]}", "{\"version\":1}",
        "{\"version\":1,\"entries\":[{\"key\":\"valve.overflow\",\"value\":\"off\"}]}",
        "{\"version\":1,\"entries\":[7]}",
        "{\"version\":1,\"entries\":[{\"key\":\"a\",\"value\":1,\"author\":\"x\"},"
        "{\"key\":\"a\",\"value\":1,\"author\":\"x\"}]}"}) {
    CAPTURE(broken);
    FilesInMemory files;
    files.content["/state/overlay.json"] = broken;
    const LoadedOverlay loaded = load_overlay(files, "/state");
    CHECK(loaded.overlay.entries.empty());
    REQUIRE(loaded.error.has_value());
    CHECK(loaded.error->kind == ErrorKind::broken);
    CHECK(loaded.error->where == "/state/overlay.json");
    CHECK(loaded.error->text.find("correct the file") != std::string::npos);
    REQUIRE(save_overlay(files, "/state", {}).has_value());
    CHECK(files.content["/state/overlay.broken.json"] == broken);
    CHECK_FALSE(load_overlay(files, "/state").error.has_value());
  }
}

TEST_CASE("overlay: the number of entries is bounded") {
  Overlay overlay;
  for (size_t i = 0; i < kOverlayEntriesMax; ++i) {
    overlay.entries.push_back(entry("exchange_rates.X" + std::to_string(i), 1));
  }
  overlay.entries.resize(kOverlayEntriesMax, entry("queue.length_max", 1));
  const std::string json = write_overlay(overlay);
  CHECK(read_overlay(json, "overlay.json").has_value());
  overlay.entries.push_back(entry("valve.overflow", "off"));
  CHECK(read_overlay(write_overlay(overlay), "overlay.json").error().kind == ErrorKind::broken);
}

TEST_CASE("overlay: a lock covers what is below it and what contains it") {
  CHECK(touches("valve.overflow", "valve"));
  CHECK(touches("valve", "valve.overflow"));
  CHECK(touches("valve.hold", "valve.hold"));
  CHECK_FALSE(touches("valve.hold", "valve.overflow"));
  CHECK_FALSE(touches("valves", "valve"));
}
