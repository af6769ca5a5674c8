#include "firmware/sense/accelerator_probe.h"

#include <algorithm>

#include "firmware/box/driver_book.h"
#include "tests/unit/sense_io/probe_world.h"
#include "tests/unit/sense_io/samples.h"

using namespace sluice;
using namespace sluice::sense;
using State = AcceleratorSourceState;

namespace {

constexpr double kMiB = 1024.0 * 1024;

std::shared_ptr<const DriverCatalog> built_in() {
  Result<DriverCatalog> known = box::built_in_drivers();
  REQUIRE(known);
  return std::make_shared<const DriverCatalog>(std::move(*known));
}

struct ExporterWorld {
  ProbeWorld world;
  int changes = 0;
  std::unique_ptr<AcceleratorProbe> probe;

  explicit ExporterWorld(const std::string& page, const std::string& driver = "",
                         const std::string& url = "http://10.0.0.5:9400",
                         Duration scrape = Duration()) {
    if (!page.empty()) world.replies["/metrics"].body = read_sample(page);
    const Result<ports::HttpOrigin> origin = ports::parse_origin(url);
    REQUIRE(origin);
    probe = std::make_unique<AcceleratorProbe>(
        ExporterPorts{world, world, world, world}, built_in(),
        ExporterPlace{"rack", *origin, driver, scrape}, [this] { ++changes; });
    probe->start();
  }
  AcceleratorSourceReport report() { return probe->report(world.now()); }
  std::vector<int64_t> gaps_ms(const std::string& target) const {
    const std::vector<int64_t> times = world.times_of(target);
    std::vector<int64_t> gaps;
    for (size_t i = 1; i < times.size(); ++i) gaps.push_back(times[i] - times[i - 1]);
    return gaps;
  }
};

}  // namespace

TEST_CASE("accelerator probe: dcgm-exporter is found by its names, and told in our units") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom");
  CHECK(rack.report().state == State::waiting);
  rack.world.run_for(Duration::ms(100));
  const AcceleratorSourceReport report = rack.report();
  CHECK(report.name == "rack");
  CHECK(report.driver == "nvidia-dcgm");
  CHECK(report.state == State::answers);
  CHECK(rack.changes == 1);
  REQUIRE(report.accelerators.size() == 2);
  const AcceleratorLoad& first = report.accelerators[0];
  CHECK(first.vendor == "nvidia");
  CHECK(first.name == "NVIDIA H100 80GB HBM3");
  CHECK(first.busy.value == doctest::Approx(0.982311));
  CHECK(first.memory_used_bytes.value == 73748 * kMiB);
  CHECK(first.memory_total_bytes.value == (73748 + 7321 + 490) * kMiB);
  CHECK(first.memory_total_bytes.confidence == Confidence::derived);
  CHECK(first.power_w.value == doctest::Approx(598.412));
  CHECK(first.temperature_c.value == 61.0);
}

TEST_CASE(
    "accelerator probe: an exporter is asked as often as its origin is worth, one at a time") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom");
  rack.world.replies["/metrics"].delay = Duration::seconds(2);
  rack.world.run_for(Duration::seconds(120));
  CHECK(rack.world.in_flight_most == 1);
  for (size_t i = 1; i < rack.gaps_ms("/metrics").size(); ++i) {
    CHECK(rack.gaps_ms("/metrics")[i] == 17000);  // 15 s after each answer
  }
  for (const ProbeWorld::Asked& asked : rack.world.asked) {
    CHECK(asked.spec.timeouts.total < Duration::seconds(15));
    CHECK(asked.spec.body_max == kExpositionBytesMax);
    CHECK(asked.spec.method == "GET");
  }
}

TEST_CASE("accelerator probe: the settings' pace holds, but not below what the driver allows") {
  const auto known = built_in();
  const DriverFacts* dcgm = known->accelerator("nvidia-dcgm");
  REQUIRE(dcgm != nullptr);
  CHECK(exporter_times(dcgm, Duration::seconds(20)).gap == Duration::seconds(20));
  CHECK(exporter_times(dcgm, Duration::ms(100)).gap == Duration::seconds(5));
  CHECK(exporter_times(dcgm, Duration()).gap == Duration::seconds(15));
  CHECK(exporter_times(dcgm, Duration()).stale_after == Duration::seconds(60));
  CHECK(exporter_times(nullptr, Duration()).gap == kExporterGap);
  CHECK(exporter_times(nullptr, Duration::ms(1)).gap == kExporterGapMin);
  for (const int64_t ms : {1, 250, 5000, 60000}) {
    const ExporterTimes times = exporter_times(nullptr, Duration::ms(ms));
    CHECK(times.timeout < times.gap);
    CHECK(times.stale_after >= times.gap * 3);
  }
}

TEST_CASE("accelerator probe: one that dies is silent, its figures age, go stale, and come back") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom");
  rack.world.run_for(Duration::seconds(1));
  rack.world.replies["/metrics"].failure = "connection refused";
  rack.world.run_for(Duration::seconds(30));
  CHECK(rack.report().state == State::silent);
  CHECK(rack.report().why == "connection refused");
  CHECK(rack.changes == 2);
  REQUIRE(rack.report().accelerators.size() == 2);
  CHECK(rack.report().accelerators[0].temperature_c.confidence == Confidence::told);
  rack.world.run_for(Duration::seconds(40));
  const AcceleratorSourceReport old = rack.report();
  CHECK(old.age > Duration::seconds(60));
  CHECK(old.accelerators[0].temperature_c.confidence == Confidence::stale);
  CHECK(old.accelerators[0].temperature_c.value == 61.0);
  CHECK(old.accelerators[0].health.confidence == Confidence::absent);
  rack.world.run_for(Duration::seconds(600));
  CHECK(rack.gaps_ms("/metrics").back() == 60001);  // a minute after each failure
  rack.world.replies["/metrics"].failure.clear();
  rack.world.run_for(Duration::seconds(61));
  CHECK(rack.report().state == State::answers);
  CHECK(rack.report().accelerators[0].temperature_c.confidence == Confidence::told);
  CHECK(rack.changes == 3);
}

TEST_CASE("accelerator probe: a page of something else is not taken for an exporter") {
  for (const char* page : {"vllm-v1.prom", "parser-torture.prom", "tgi.prom"}) {
    CAPTURE(page);
    ExporterWorld rack(page);
    rack.world.run_for(Duration::seconds(1));
    CHECK(rack.report().state == State::unrecognised);
    CHECK(rack.report().driver.empty());
    CHECK(rack.report().accelerators.empty());
  }
}

TEST_CASE("accelerator probe: a driver that the settings name must fit the page") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom", "ascend");
  rack.world.run_for(Duration::seconds(1));
  CHECK(rack.report().state == State::unrecognised);
  CHECK(rack.report().driver == "ascend");
  CHECK(rack.report().why.find("ascend") != std::string::npos);
}

TEST_CASE("accelerator probe: another exporter at the same place is found again") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom");
  rack.world.run_for(Duration::seconds(1));
  rack.world.replies["/metrics"].body = read_sample("cambricon-mlu-exporter.prom");
  rack.world.run_for(Duration::seconds(60));
  CHECK(rack.report().driver == "cambricon");
  CHECK(rack.report().state == State::answers);
  for (const AcceleratorLoad& load : rack.report().accelerators) CHECK(load.vendor == "cambricon");
}

TEST_CASE("accelerator probe: a path in the settings is the page itself") {
  ExporterWorld rack("", "", "http://10.0.0.5/gpu/page");
  rack.world.replies["/gpu/page"].body = read_sample("ascend-npu-exporter.prom");
  rack.world.run_for(Duration::seconds(1));
  CHECK(rack.report().driver == "ascend");
  CHECK_FALSE(rack.report().accelerators.empty());
  CHECK(rack.world.times_of("/metrics").empty());
}

TEST_CASE("accelerator probe: where no public names exist, nothing is asked and that is said") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom", "kunlunxin");
  rack.world.run_for(Duration::seconds(100));
  CHECK(rack.world.asked.empty());
  CHECK(rack.report().state == State::not_supported);
  CHECK_FALSE(rack.report().why.empty());
}

TEST_CASE("accelerator probe: a page beyond the bound, a late one and a refused one are said") {
  ExporterWorld rack("", "nvidia-dcgm");
  rack.world.replies["/metrics"].body = std::string(5 * 1024 * 1024, '#');
  rack.world.run_for(Duration::seconds(1));
  CHECK(rack.report().state == State::silent);
  CHECK(rack.report().why == "its page is larger than is read");
  rack.world.replies["/metrics"] = {200, "", Duration::seconds(100)};
  rack.world.run_for(Duration::seconds(60));
  CHECK(rack.report().why == "no answer in time");
  rack.world.replies["/metrics"] = {503, ""};
  rack.world.run_for(Duration::seconds(120));
  CHECK(rack.report().why.substr(0, 8) == "HTTP 503");
}

TEST_CASE("accelerator probe: after the end nothing is asked") {
  ExporterWorld rack("nvidia-dcgm-exporter.prom");
  rack.world.run_for(Duration::seconds(20));
  const size_t asked = rack.world.asked.size();
  rack.probe->stop();
  rack.world.run_for(Duration::seconds(100));
  CHECK(rack.world.asked.size() == asked);
}
