#include "firmware/sense/accelerator_reading.h"

#include "firmware/sense/series_groups.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

Instant at(int64_t seconds) { return Instant::from_us(seconds * 1000000); }

std::vector<AcceleratorLoad> read_text(std::string_view text, const char* driver,
                                       Instant when = at(5)) {
  const DriverFacts facts = built_in_facts(driver);
  ExpositionLimits limits;
  limits.names = facts.series_names;
  return read_accelerators(parse_exposition(text, limits), facts, when);
}

TEST_CASE("accelerator reading: every figure says who told it and when") {
  const std::vector<AcceleratorLoad> loads = read_text(
      "DCGM_FI_DEV_GPU_UTIL{UUID=\"a\",modelName=\"T4\"} 50\n"
      "DCGM_FI_DEV_FB_USED{UUID=\"a\"} 2\nDCGM_FI_DEV_FB_FREE{UUID=\"a\"} 6\n",
      "nvidia-dcgm");
  REQUIRE(loads.size() == 1);
  const AcceleratorLoad& load = loads[0];
  CHECK(load.name == "T4");
  CHECK(load.busy.value == 0.5);
  CHECK(load.busy.source == "DCGM_FI_DEV_GPU_UTIL");
  CHECK(load.busy.confidence == Confidence::told);
  CHECK(load.busy.at == at(5));
  CHECK(load.memory_total_bytes.value == 8.0 * 1024 * 1024);
  CHECK(load.memory_total_bytes.confidence == Confidence::derived);
  CHECK(load.memory_total_bytes.source == "DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE");
  CHECK_FALSE(load.power_w.value.has_value());
  CHECK(load.power_w.confidence == Confidence::absent);
  CHECK(load.power_w.source == "DCGM_FI_DEV_POWER_USAGE is missing");
}

TEST_CASE(
    "accelerator reading: what DCGM writes for unknown is absent, and the next way is tried") {
  for (const char* blank : {"140737488355328", "140737488355330", "9223372036854775794", "NaN"}) {
    CAPTURE(blank);
    const std::string page = "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"a\"} " + std::string(blank) +
                             "\nDCGM_FI_DEV_GPU_UTIL{UUID=\"a\"} 7\n"
                             "DCGM_FI_DEV_POWER_USAGE{UUID=\"a\"} " +
                             blank + "\n";
    const std::vector<AcceleratorLoad> loads = read_text(page, "nvidia-dcgm");
    REQUIRE(loads.size() == 1);
    CHECK(loads[0].busy.value == 0.07);
    CHECK(loads[0].busy.source == "DCGM_FI_DEV_GPU_UTIL");
    CHECK_FALSE(loads[0].power_w.value.has_value());
  }
}

TEST_CASE("accelerator reading: partitions are devices of their own, and a whole one beside them") {
  const std::vector<AcceleratorLoad> loads = read_text(
      "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"a\",GPU_I_ID=\"1\"} 0.25\n"
      "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"a\",GPU_I_ID=\"2\"} 0.5\n"
      "DCGM_FI_DEV_POWER_USAGE{UUID=\"b\",GPU_I_ID=\"\"} 70\n",
      "nvidia-dcgm");
  REQUIRE(loads.size() == 3);
  CHECK(loads[0].id == "a/1");
  CHECK(loads[0].busy.value == 0.25);
  CHECK(loads[1].id == "a/2");
  CHECK(loads[1].busy.value == 0.5);
  CHECK(loads[2].id == "b");
  CHECK(loads[2].power_w.value == 70.0);
}

TEST_CASE("accelerator reading: of AMD's partitions only the first tells its activity") {
  const auto series = [](const char* name, const char* partition, int value) {
    return std::string(name) + "{card_model=\"x\",serial_number=\"s\",gpu_partition_id=\"" +
           partition + "\"} " + std::to_string(value) + "\n";
  };
  const std::vector<AcceleratorLoad> loads =
      read_text(series("gpu_gfx_activity", "0", 80) + series("gpu_gfx_activity", "1", 0) +
                    series("gpu_package_power", "0", 500) + series("gpu_package_power", "1", 0) +
                    series("gpu_used_vram", "0", 1) + series("gpu_used_vram", "1", 3),
                "amd");
  REQUIRE(loads.size() == 2);
  CHECK(loads[0].id == "s");
  CHECK(loads[0].busy.value == 0.8);
  CHECK(loads[0].power_w.value == 500.0);
  CHECK(loads[1].id == "s/1");
  CHECK_FALSE(loads[1].busy.value.has_value());
  CHECK_FALSE(loads[1].power_w.value.has_value());
  CHECK(loads[1].memory_used_bytes.value == 3.0 * 1024 * 1024);
  const std::vector<AcceleratorLoad> older =
      read_text("gpu_gfx_activity{card_model=\"x\",serial_number=\"s\"} 40\n", "amd");
  REQUIRE(older.size() == 1);
  CHECK(older[0].busy.value == 0.4);
}

TEST_CASE("accelerator reading: a prefix that nobody foresaw is found by the names after it") {
  std::string page = read_sample("cambricon-mlu-exporter.prom");
  for (size_t i = page.find("mlu_"); i != std::string::npos; i = page.find("mlu_", i + 9)) {
    if (i == 0 || page[i - 1] == '\n') page.replace(i, 4, "site:npu_");
  }
  const std::vector<AcceleratorLoad> loads = read_text(page, "cambricon");
  REQUIRE(loads.size() == 1);
  CHECK(loads[0].busy.value == 0.77);
  CHECK(loads[0].busy.source == "site:npu_utilization");
  CHECK(loads[0].temperature_c.value == 60.0);
}

TEST_CASE("accelerator reading: of several series of one device the newest counts") {
  const std::vector<AcceleratorLoad> stamped = read_text(
      "npu_chip_info_utilization{vdie_id=\"v\",pod_name=\"new\"} 90 2000\n"
      "npu_chip_info_utilization{vdie_id=\"v\",pod_name=\"old\"} 10 1000\n",
      "ascend");
  REQUIRE(stamped.size() == 1);
  CHECK(stamped[0].busy.value == 0.9);
  CHECK(stamped[0].busy.stamp_ms == 2000);
  const std::vector<AcceleratorLoad> plain = read_text(
      "DCGM_FI_DEV_POWER_USAGE{UUID=\"a\",pod=\"x\"} 71\n"
      "DCGM_FI_DEV_POWER_USAGE{UUID=\"a\",pod=\"y\"} 72\n",
      "nvidia-dcgm");
  REQUIRE(plain.size() == 1);
  CHECK(plain[0].power_w.value == 72.0);  // not their sum
}

TEST_CASE("accelerator reading: the same timestamp again is the same sample, and keeps its age") {
  const char* page =
      "npu_chip_info_utilization{vdie_id=\"v\"} 90 2000\n"
      "npu_chip_info_power{vdie_id=\"v\"} 300\n";
  const std::vector<AcceleratorLoad> before = read_text(page, "ascend", at(1));
  std::vector<AcceleratorLoad> after = read_text(page, "ascend", at(9));
  keep_ages(before, after);
  CHECK(after[0].busy.at == at(1));
  CHECK(after[0].power_w.at == at(9));  // it carries no timestamp
  std::vector<AcceleratorLoad> later =
      read_text("npu_chip_info_utilization{vdie_id=\"v\"} 90 2500\n", "ascend", at(12));
  keep_ages(after, later);
  CHECK(later[0].busy.at == at(12));
}

TEST_CASE("accelerator reading: figures beyond their time are stale, absent ones stay absent") {
  std::vector<AcceleratorLoad> loads =
      read_text("DCGM_FI_DEV_POWER_USAGE{UUID=\"a\"} 71\n", "nvidia-dcgm", at(1));
  mark_stale(loads[0], Duration::seconds(60), at(61));
  CHECK(loads[0].power_w.confidence == Confidence::told);
  mark_stale(loads[0], Duration::seconds(60), at(62));
  CHECK(loads[0].power_w.confidence == Confidence::stale);
  CHECK(loads[0].power_w.value == 71.0);
  CHECK(loads[0].busy.confidence == Confidence::absent);
  mark_stale(loads[0], {}, at(1000));  // no time is set
  CHECK(loads[0].temperature_c.confidence == Confidence::absent);
}

TEST_CASE("accelerator reading: health is what its numbers mean, and the rest is unknown") {
  const auto health = [](int told) {
    return read_text("enflame_gcu_health{uuid=\"u\"} " + std::to_string(told) + "\n", "enflame")
        .at(0)
        .health.value;
  };
  CHECK(health(2) == 1.0);
  CHECK(health(1) == 0.0);
  CHECK_FALSE(health(0).has_value());
}

TEST_CASE("accelerator reading: series without an identity are left out, and devices are bounded") {
  CHECK(read_text("DCGM_FI_DEV_POWER_USAGE 71\n", "nvidia-dcgm").empty());
  CHECK(read_text("DCGM_FI_DEV_POWER_USAGE{UUID=\"\"} 71\n", "nvidia-dcgm").empty());
  std::string many;
  for (size_t i = 0; i < kAcceleratorsMax + 10; ++i) {
    many += "DCGM_FI_DEV_POWER_USAGE{UUID=\"u" + std::to_string(i) + "\"} 1\n";
  }
  many += "DCGM_FI_DEV_GPU_TEMP{UUID=\"u3\"} 40\n";
  const std::vector<AcceleratorLoad> loads = read_text(many, "nvidia-dcgm");
  CHECK(loads.size() == kAcceleratorsMax);
  CHECK(loads[3].temperature_c.value == 40.0);
}

TEST_CASE("accelerator reading: escapes in labels are read") {
  const std::vector<AcceleratorLoad> loads = read_text(
      "DCGM_FI_DEV_POWER_USAGE{UUID=\"a\\\\b\",modelName=\"x \\\"y\\\"\"} 1\n", "nvidia-dcgm");
  REQUIRE(loads.size() == 1);
  CHECK(loads[0].id == "a\\b");
  CHECK(loads[0].name == "x \"y\"");
}

}  // namespace
}  // namespace sluice::sense
