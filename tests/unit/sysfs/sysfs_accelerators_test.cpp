#include "drivers/accelerators/sysfs/sysfs_accelerators.h"

#include <cerrno>

#include "drivers/accelerators/sysfs/card.h"
#include "drivers/accelerators/sysfs/drm_files.h"
#include "tests/unit/sysfs/folder.h"

using namespace sluice;
using namespace sluice::drivers;
using ports::AcceleratorLook;
using ports::AcceleratorReading;
using ports::AcceleratorState;

namespace {

constexpr double kMiB = 1024.0 * 1024;
constexpr int64_t kSecond = 1'000'000'000;
constexpr const char* kRender = "/dev/dri/renderD128";

std::string fdinfo(const std::string& address, int client, uint64_t compute_ns) {
  return "drm-driver:\ti915\ndrm-pdev:\t" + address + "\ndrm-client-id:\t" +
         std::to_string(client) + "\ndrm-resident-local0:\t512 MiB\ndrm-engine-compute:\t" +
         std::to_string(compute_ns) + " ns\n";
}

AcceleratorReading only(const AcceleratorLook& look) {
  CHECK(look.state == AcceleratorState::answers);
  REQUIRE(look.devices.size() == 1);
  return look.devices.front();
}

}  // namespace

TEST_CASE("sysfs: the sample of an amdgpu card, in our units") {
  Folder folder;
  folder.card(1, "amdgpu", "0000:03:00.0");
  folder.card_files(1, sample("amdgpu-sysfs.txt"));
  folder.write("proc/1/status", "");
  const AcceleratorReading card = only(SysfsAccelerators(folder.root()).look());
  CHECK(card.id == "0000:03:00.0");
  CHECK(card.vendor == "amd");
  CHECK(card.name == "amdgpu 1002:744C");
  CHECK(card.busy.value == doctest::Approx(0.97));
  CHECK(card.busy.source == "gpu_busy_percent");
  CHECK(card.memory_used_bytes.value == 20401094656.0);
  CHECK(card.memory_total_bytes.value == 25753026560.0);
  CHECK(card.power_w.value == doctest::Approx(287));
  CHECK(card.temperature_c.value == doctest::Approx(71));
  CHECK_FALSE(card.health.value);
}

TEST_CASE("sysfs: a machine without such a card has none, and nobody's files are looked at") {
  Folder folder;
  CHECK(SysfsAccelerators(folder.root()).look().state == AcceleratorState::no_device);
  folder.card(0, "nvidia", "0000:01:00.0");
  folder.write("sys/class/drm/card0-HDMI-A-1/status", "connected\n");
  folder.write("sys/class/drm/version", "drm 1.1.0\n");
  const AcceleratorLook look = SysfsAccelerators(folder.root()).look();
  CHECK(look.state == AcceleratorState::no_device);
  CHECK(look.devices.empty());
}

TEST_CASE("sysfs: what a card's users did between two looks is its use, each client counted once") {
  Folder folder;
  folder.card(0, "i915", "0000:00:02.0");
  int64_t now_ns = kSecond;
  SysfsAccelerators source(folder.root(), [&now_ns] { return now_ns; });
  folder.open(10, 3, kRender, fdinfo("0000:00:02.0", 1, 0));
  folder.open(10, 4, kRender, fdinfo("0000:00:02.0", 1, 0));  // the same client again
  folder.open(11, 3, kRender, fdinfo("0000:00:02.0", 2, 0));
  folder.open(11, 5, "/var/log/x", fdinfo("0000:00:02.0", 3, 0));  // no graphics device
  AcceleratorReading card = only(source.look());
  CHECK_FALSE(card.busy.value);
  CHECK(card.memory_used_bytes.value == 1024 * kMiB);
  CHECK(card.memory_used_bytes.reckoned);
  CHECK(card.vendor == "intel");

  now_ns += 2 * kSecond;
  folder.open(10, 3, kRender, fdinfo("0000:00:02.0", 1, kSecond));
  folder.open(10, 4, kRender, fdinfo("0000:00:02.0", 1, kSecond));
  folder.remove("proc/11");
  card = only(source.look());
  CHECK(card.busy.value == doctest::Approx(0.5));
  CHECK(card.memory_used_bytes.value == 512 * kMiB);
  CHECK_FALSE(card.memory_total_bytes.value);
  CHECK_FALSE(card.power_w.value);
}

TEST_CASE("sysfs: a new user of a card is found within ten looks, one that is known at each") {
  Folder folder;
  folder.card(0, "i915", "0000:00:02.0");
  int64_t now_ns = kSecond;
  SysfsAccelerators source(folder.root(), [&now_ns] { return now_ns += kSecond; });
  folder.open(10, 3, kRender, fdinfo("0000:00:02.0", 1, 0));
  CHECK(only(source.look()).memory_used_bytes.value == 512 * kMiB);
  folder.open(11, 3, kRender, fdinfo("0000:00:02.0", 2, 0));
  int looks = 0;
  double used = 0;
  do {
    used = only(source.look()).memory_used_bytes.value.value_or(0);
    ++looks;
  } while (used < 1024 * kMiB && looks < 20);
  CHECK(looks == kLooksBetweenSearches);
  folder.open(11, 3, kRender, fdinfo("0000:00:02.0", 2, kSecond / 2));
  CHECK(only(source.look()).busy.value == doctest::Approx(0.5));
}

TEST_CASE("sysfs: for a card that tells all by itself nobody's files are looked at") {
  Folder folder;
  folder.card(1, "amdgpu", "0000:03:00.0");
  folder.card_files(1, sample("amdgpu-sysfs.txt"));
  const AcceleratorReading card =
      only(SysfsAccelerators(folder.root()).look());  // there is no /proc
  CHECK(card.busy.value == doctest::Approx(0.97));
  CHECK(needs_users({{"gpu_busy_percent", {"97\n"}}}));
  CHECK_FALSE(needs_users({{"gpu_busy_percent", {"", EPERM}}, {"mem_info_vram_used", {"1\n"}}}));
}

TEST_CASE("sysfs: use of one card is not that of another") {
  Folder folder;
  folder.card(0, "i915", "0000:00:02.0");
  folder.card(1, "xe", "0000:03:00.0");
  int64_t now_ns = kSecond;
  SysfsAccelerators source(folder.root(), [&now_ns] { return now_ns; });
  folder.open(10, 3, kRender, fdinfo("0000:03:00.0", 1, 0));
  (void)source.look();
  now_ns += kSecond;
  folder.open(10, 3, kRender, fdinfo("0000:03:00.0", 1, kSecond));
  const AcceleratorLook look = source.look();
  REQUIRE(look.devices.size() == 2);
  CHECK_FALSE(look.devices[0].busy.value);
  CHECK(look.devices[1].busy.value == 1.0);
}

TEST_CASE("sysfs: while some users may not be looked at, what rests on them is not told") {
  const Card card{"xe", "0000:03:00.0", "8086:56A0"};
  const AcceleratorReading reading =
      read_card(card, {}, {{0.3, 5e9}, "other users' processes may not be looked at"});
  CHECK_FALSE(reading.busy.value);
  CHECK(reading.busy.source == "other users' processes may not be looked at");
  CHECK_FALSE(reading.memory_used_bytes.value);
}

TEST_CASE("sysfs: a card that sleeps is not lost; one that does not answer is") {
  const Card card{"amdgpu", "0000:03:00.0", "1002:744C"};
  CardFiles files{{"gpu_busy_percent", {"", EPERM}}, {"mem_info_vram_used", {"1048576\n"}}};
  AcceleratorReading reading = read_card(card, files, {});
  CHECK_FALSE(reading.busy.value);
  CHECK(reading.busy.source.find("asleep or being reset") != std::string::npos);
  CHECK(reading.memory_used_bytes.value == 1048576.0);
  CHECK_FALSE(reading.health.value);
  files["gpu_busy_percent"] = {"", EIO};
  reading = read_card(card, files, {});
  CHECK(reading.health.value == 0.0);
  CHECK(reading.trouble.find("gpu_busy_percent") != std::string::npos);
}

TEST_CASE("sysfs: figures that cannot be are not told") {
  const Card card{"amdgpu", "0000:03:00.0", "1002:744C"};
  const CardFiles files{
      {"gpu_busy_percent", {"250\n"}},           {"mem_info_vram_used", {"-1\n"}},
      {"mem_info_vram_total", {"0\n"}},          {"hwmon/power1_average", {"many\n"}},
      {"hwmon/power1_input", {"12000000 uW\n"}}, {"hwmon/temp1_input", {"9999999\n"}}};
  const AcceleratorReading reading = read_card(card, files, {});
  for (const auto* value : {&reading.busy, &reading.memory_used_bytes, &reading.memory_total_bytes,
                            &reading.power_w, &reading.temperature_c}) {
    CHECK_FALSE(value->value);
  }
}

TEST_CASE("sysfs: power that is read at once is taken where there is no average") {
  const Card card{"amdgpu", "0000:03:00.0", "1002:744C"};
  const CardFiles files{{"hwmon/power1_average", {"", ENOENT}},
                        {"hwmon/power1_input", {"45500000\n"}},
                        {"product_name", {"Instinct MI210\n"}}};
  const AcceleratorReading reading = read_card(card, files, {});
  CHECK(reading.power_w.value == doctest::Approx(45.5));
  CHECK(reading.power_w.source == "hwmon/power1_input");
  CHECK(reading.name == "Instinct MI210");
}
