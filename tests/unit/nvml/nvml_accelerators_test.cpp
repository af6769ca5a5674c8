// The code that loads NVML, run against stand-ins with the same symbols (tests/testbed).
#include "drivers/accelerators/nvml/nvml_accelerators.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "drivers/accelerators/nvml/nvml_device.h"
#include "tests/unit/scratch_folder.h"

using namespace sluice;
using ports::AcceleratorLook;
using ports::AcceleratorReading;
using ports::AcceleratorState;

namespace {

constexpr double kGiB = 1073741824.0;
constexpr const char* kFirst = "GPU-5e0b7c1d-0000-4a11-9d11-000000000001";
constexpr const char* kSecond = "GPU-5e0b7c1d-0000-4a11-9d11-000000000002";

// Tells the stand-in how to behave from now on.
class StandIn {
 public:
  explicit StandIn(const std::string& word) {
    ::setenv("NVML_STAND_IN_FILE", folder_.file("word").c_str(), 1);
    say(word);
  }
  ~StandIn() { ::unsetenv("NVML_STAND_IN_FILE"); }
  void say(const std::string& word) { folder_.write("word", word + "\n"); }

  drivers::NvmlAccelerators source{NVML_STAND_IN ".so"};

 private:
  ScratchFolder folder_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("nvml: two devices tell everything, in our units") {
  StandIn nvml("two");
  const AcceleratorLook look = nvml.source.look();
  CHECK(look.state == AcceleratorState::answers);
  CHECK(look.words.empty());
  REQUIRE(look.devices.size() == 2);
  const AcceleratorReading& first = look.devices[0];
  CHECK(first.id == kFirst);
  CHECK(first.name == "NVIDIA H100 80GB HBM3");
  CHECK(first.vendor == "nvidia");
  CHECK(first.busy.value == 0.97);
  CHECK(first.busy.source == "nvmlDeviceGetUtilizationRates");
  CHECK(first.memory_used_bytes.value == 72 * kGiB);
  CHECK(first.memory_total_bytes.value == 80 * kGiB);
  CHECK(first.memory_used_bytes.source == "nvmlDeviceGetMemoryInfo_v2");
  CHECK(first.power_w.value == doctest::Approx(598.412));
  CHECK(first.temperature_c.value == 61.0);
  CHECK(first.health.value == 1.0);
  CHECK(look.devices[1].busy.value == 0.0);
  CHECK(look.devices[1].id == kSecond);
}

TEST_CASE("nvml: a second look needs no second beginning") {
  StandIn nvml("two");
  CHECK(nvml.source.look().devices.size() == 2);
  CHECK(nvml.source.look().devices.size() == 2);
}

TEST_CASE("nvml: a device that is split does not tell its use, and says why") {
  StandIn nvml("mig");
  const AcceleratorLook look = nvml.source.look();
  REQUIRE(look.devices.size() == 2);
  CHECK_FALSE(look.devices[0].busy.value);
  CHECK(has(look.devices[0].busy.source, "MIG"));
  CHECK(look.devices[0].memory_used_bytes.value == 72 * kGiB);
  CHECK(look.devices[0].health.value == 1.0);
  CHECK(look.devices[1].busy.value == 0.0);
}

TEST_CASE("nvml: what is not supported is absent value by value, and no trouble") {
  StandIn nvml("mute");
  const AcceleratorLook look = nvml.source.look();
  CHECK(look.state == AcceleratorState::answers);
  REQUIRE(look.devices.size() == 2);
  const AcceleratorReading& device = look.devices[0];
  CHECK(device.id == kFirst);
  for (const auto* value : {&device.busy, &device.memory_used_bytes, &device.memory_total_bytes,
                            &device.power_w, &device.temperature_c}) {
    CHECK_FALSE(value->value);
    CHECK(has(value->source, "not supported by this device (code 3)"));
  }
  CHECK(device.health.value == 1.0);
  CHECK(device.trouble.empty());
}

TEST_CASE("nvml: memory that is told by process only is their sum, though the list grows") {
  StandIn nvml("unified");
  const AcceleratorLook look = nvml.source.look();
  REQUIRE(look.devices.size() == 2);
  CHECK(look.devices[0].memory_used_bytes.value == 20 * kGiB);
  CHECK(look.devices[0].memory_used_bytes.reckoned);
  CHECK_FALSE(look.devices[0].memory_total_bytes.value);
}

TEST_CASE("nvml: a list that grows with every question is asked for a few times only") {
  StandIn nvml("growing");
  const AcceleratorLook look = nvml.source.look();
  REQUIRE(look.devices.size() == 2);
  CHECK_FALSE(look.devices[0].memory_used_bytes.value);
  CHECK(has(look.devices[0].memory_used_bytes.source, "(code 7)"));
  CHECK(look.devices[0].busy.value == 0.97);
}

TEST_CASE("nvml: figures that cannot be are not told") {
  StandIn nvml("nonsense");
  const AcceleratorLook look = nvml.source.look();
  REQUIRE(look.devices.size() == 2);
  const AcceleratorReading& device = look.devices[0];
  for (const auto* value : {&device.busy, &device.memory_used_bytes, &device.memory_total_bytes,
                            &device.power_w, &device.temperature_c}) {
    CHECK_FALSE(value->value);
    CHECK(has(value->source, "told"));
  }
}

TEST_CASE("nvml: a driver without a device is said to have none") {
  StandIn nvml("none");
  const AcceleratorLook look = nvml.source.look();
  CHECK(look.state == AcceleratorState::no_device);
  CHECK(look.devices.empty());
}

TEST_CASE("nvml: a beginning that fails gives a plain state, and the next look tries again") {
  for (const auto& [word, state, said] :
       {std::tuple{"unloaded", AcceleratorState::driver_not_running, "modprobe"},
        {"mismatch", AcceleratorState::driver_not_running, "different versions"},
        {"forbidden", AcceleratorState::not_allowed, "/dev/nvidia"}}) {
    CAPTURE(word);
    StandIn nvml(word);
    const AcceleratorLook look = nvml.source.look();
    CHECK(look.state == state);
    CHECK(has(look.words, "nvmlInit_v2"));
    CHECK(has(look.words, said));
    CHECK(look.devices.empty());
    nvml.say("two");
    CHECK(nvml.source.look().devices.size() == 2);
  }
}

TEST_CASE("nvml: a driver that goes away is said, and begun anew when it is back") {
  StandIn nvml("two");
  CHECK(nvml.source.look().devices.size() == 2);
  nvml.say("gone");
  AcceleratorLook look = nvml.source.look();
  CHECK(look.state == AcceleratorState::driver_not_running);
  CHECK(has(look.words, "the driver is not loaded (code 9)"));
  CHECK(nvml.source.look().state == AcceleratorState::driver_not_running);
  nvml.say("two");
  look = nvml.source.look();
  CHECK(look.state == AcceleratorState::answers);
  CHECK(look.devices.size() == 2);
}

TEST_CASE("nvml: a lost device is not well and keeps its name; the others are told as before") {
  StandIn nvml("two");
  CHECK(nvml.source.look().devices.size() == 2);
  nvml.say("lost");
  AcceleratorLook look = nvml.source.look();
  CHECK(look.state == AcceleratorState::answers);
  REQUIRE(look.devices.size() == 2);
  CHECK(look.devices[0].busy.value == 0.97);
  const AcceleratorReading& lost = look.devices[1];
  CHECK(lost.id == kSecond);
  CHECK(lost.name == "NVIDIA H100 80GB HBM3");
  CHECK(lost.health.value == 0.0);
  CHECK(has(lost.trouble, "fallen off the bus"));
  CHECK_FALSE(lost.busy.value);
  CHECK_FALSE(lost.temperature_c.value);

  nvml.say("two");  // it is back, which the library sees only when it begins anew
  int looks = 0;
  do {
    look = nvml.source.look();
    ++looks;
    REQUIRE(look.devices.size() == 2);
  } while (look.devices[1].health.value != 1.0 && looks < 10);
  CHECK(looks <= 2);
  CHECK(look.devices[1].busy.value == 0.0);
}

TEST_CASE("nvml: a library that is not there is no fault of the program") {
  drivers::NvmlAccelerators none("/nonexistent/libnvidia-ml.so.1");
  const AcceleratorLook look = none.look();
  CHECK(look.state == AcceleratorState::no_library);
  CHECK(has(look.words, "/nonexistent/libnvidia-ml.so.1"));
  CHECK(has(look.words, "No such file"));
  CHECK(none.look().state == AcceleratorState::no_library);
}

TEST_CASE("nvml: a file that is no library is told apart from one that is not there") {
  const std::string path =
      (std::filesystem::temp_directory_path() / "no-library-of-nvidia.so").string();
  std::ofstream(path) << "not a library\n";
  drivers::NvmlAccelerators bad(path);
  const AcceleratorLook look = bad.look();
  CHECK(look.state == AcceleratorState::no_library);
  CHECK_FALSE(has(look.words, "No such file"));
  std::filesystem::remove(path);
}

TEST_CASE("nvml: a library without a call that must be there is too old, and the call is named") {
  drivers::NvmlAccelerators old(NVML_STAND_IN "_old.so");
  const AcceleratorLook look = old.look();
  CHECK(look.state == AcceleratorState::library_too_old);
  CHECK(has(look.words, "nvmlDeviceGetHandleByIndex_v2"));
  CHECK(look.devices.empty());
}

TEST_CASE("nvml: without a call that need not be there only its value is absent, and it is named") {
  drivers::NvmlAccelerators lean(NVML_STAND_IN "_lean.so");
  const AcceleratorLook look = lean.look();
  CHECK(look.state == AcceleratorState::answers);
  REQUIRE(look.devices.size() == 2);
  CHECK_FALSE(look.devices[0].power_w.value);
  CHECK(has(look.devices[0].power_w.source, "nvmlDeviceGetPowerUsage"));
  CHECK(look.devices[0].memory_used_bytes.source == "nvmlDeviceGetMemoryInfo");
  CHECK(look.devices[0].memory_used_bytes.value == 72.5 * kGiB);
}

TEST_CASE("nvml: structures have the layout of the library") {
  CHECK(sizeof(drivers::NvmlMemoryV2) == 40);
  CHECK(drivers::kNvmlMemoryV2 == 0x02000028U);
  CHECK(sizeof(drivers::NvmlProcess) == 24);
}
