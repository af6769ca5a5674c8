#include "drivers/accelerators/sysfs/fdinfo.h"

#include "tests/unit/sysfs/folder.h"

using namespace sluice::drivers;

namespace {

constexpr double kMiB = 1024.0 * 1024;
constexpr int64_t kSecond = 1'000'000'000;

DrmClient client_of(const std::string& text) {
  const std::optional<DrmClient> client = parse_fdinfo(text);
  REQUIRE(client);
  return *client;
}

DrmClients clients(std::initializer_list<std::string> texts) {
  DrmClients all;
  for (const std::string& text : texts) {
    DrmClient client = client_of(text);
    all.emplace(std::pair(client.device, client.id), client);
  }
  return all;
}

std::string i915(int id, uint64_t render_ns, const std::string& more = "") {
  return "drm-driver:\ti915\ndrm-pdev:\t0000:00:02.0\ndrm-client-id:\t" + std::to_string(id) +
         "\ndrm-engine-render:\t" + std::to_string(render_ns) + " ns\n" + more;
}

std::string xe(uint64_t cycles, uint64_t total, int capacity = 1) {
  return "drm-driver:\txe\ndrm-pdev:\t0000:03:00.0\ndrm-client-id:\t56\ndrm-cycles-ccs:\t" +
         std::to_string(cycles) + "\ndrm-total-cycles-ccs:\t" + std::to_string(total) +
         "\ndrm-engine-capacity-ccs:\t" + std::to_string(capacity) + "\n";
}

}  // namespace

TEST_CASE("fdinfo: the sample of amdgpu, and resident memory before the older word for it") {
  const DrmClient client = client_of(sample("drm-fdinfo-amdgpu.txt"));
  CHECK(client.driver == "amdgpu");
  CHECK(client.device == "0000:03:00.0");
  CHECK(client.id == "71");
  CHECK(client.engines.at("gfx").busy_ns == 120033411U);
  CHECK(client.engines.at("compute").busy_ns == 991203844112U);
  CHECK(client.local_bytes == 15321 * kMiB);
}

TEST_CASE("fdinfo: the sample of i915 has two video engines and tells what was allocated") {
  const DrmClient client = client_of(sample("drm-fdinfo-i915.txt"));
  CHECK(client.driver == "i915");
  CHECK(client.device == "0000:00:02.0");
  CHECK(client.engines.at("render").busy_ns == 25662044495U);
  CHECK(client.engines.at("video").capacity == 2);
  CHECK(client.engines.at("video").busy_ns == 0U);
  CHECK(client.local_bytes == 10240 * kMiB);
}

TEST_CASE("fdinfo: the sample of xe counts cycles, and its system memory is not its own") {
  const DrmClient client = client_of(sample("drm-fdinfo-xe.txt"));
  CHECK(client.engines.at("ccs").cycles == 6612004411U);
  CHECK(client.engines.at("ccs").total_cycles == 7655183225U);
  CHECK_FALSE(client.engines.at("ccs").busy_ns);
  CHECK(client.local_bytes == 20480 * kMiB);
}

TEST_CASE("fdinfo: a file of something else, or without device or client, tells nothing") {
  CHECK_FALSE(parse_fdinfo("pos:\t0\nflags:\t02\n"));
  CHECK_FALSE(parse_fdinfo("drm-driver:\txe\ndrm-pdev:\t0000:03:00.0\n"));
  CHECK_FALSE(parse_fdinfo("drm-driver:\txe\ndrm-client-id:\t1\n"));
  CHECK_FALSE(parse_fdinfo(""));
}

TEST_CASE("fdinfo: a value that makes no sense is left out and the rest stays") {
  const DrmClient client = client_of(
      i915(1, 7,
           "drm-engine-copy:\tmany ns\ndrm-engine-video:\t5 s\ndrm-engine-capacity-render:\t0\n"
           "drm-memory-vram0:\t99999999999999999999 KiB\ndrm-memory-local0:\t2 TiB\nnoise\n:\n"));
  CHECK(client.engines.at("render").busy_ns == 7U);
  CHECK(client.engines.at("render").capacity == 1);
  CHECK_FALSE(client.engines.at("copy").busy_ns);
  CHECK_FALSE(client.engines.at("video").busy_ns);
  CHECK_FALSE(client.local_bytes);
}

TEST_CASE("fdinfo: what one client may tell is bounded") {
  std::string text = i915(1, 7);
  for (int i = 0; i < 200; ++i) text += "drm-engine-e" + std::to_string(i) + ":\t1 ns\n";
  CHECK(client_of(text).engines.size() == kDrmEnginesMax);
}

TEST_CASE("fdinfo: use is nanoseconds over those that passed, of all clients of a device") {
  const auto uses =
      use_between(clients({i915(1, 0), i915(2, 5 * kSecond)}),
                  clients({i915(1, kSecond / 4), i915(2, 5 * kSecond + kSecond / 2)}), kSecond);
  CHECK(uses.at("0000:00:02.0").busy == doctest::Approx(0.75));
}

TEST_CASE("fdinfo: engines of one kind share their nanoseconds") {
  const std::string two = "drm-engine-video:\t0 ns\ndrm-engine-capacity-video:\t2\n";
  const std::string busy = "drm-engine-video:\t1000000000 ns\ndrm-engine-capacity-video:\t2\n";
  const auto uses = use_between(clients({i915(1, 0, two)}), clients({i915(1, 0, busy)}), kSecond);
  CHECK(uses.at("0000:00:02.0").busy == doctest::Approx(0.5));
}

TEST_CASE("fdinfo: cycles are judged by cycles, whatever time passed") {
  const auto uses =
      use_between(clients({xe(1000, 10000)}), clients({xe(7000, 20000)}), 3 * kSecond);
  CHECK(uses.at("0000:03:00.0").busy == doctest::Approx(0.6));
  const auto four =
      use_between(clients({xe(0, 10000, 4)}), clients({xe(20000, 20000, 4)}), 3 * kSecond);
  CHECK(four.at("0000:03:00.0").busy == doctest::Approx(0.5));
}

TEST_CASE("fdinfo: a counter that steps back is no use, and no huge one") {
  const auto uses = use_between(clients({i915(1, 2 * kSecond)}), clients({i915(1, 0)}), kSecond);
  CHECK(uses.at("0000:00:02.0").busy == 0.0);
  const auto cycles = use_between(clients({xe(9000, 20000)}), clients({xe(8000, 30000)}), kSecond);
  CHECK(cycles.at("0000:03:00.0").busy == 0.0);
}

TEST_CASE("fdinfo: use is never more than all") {
  const auto uses = use_between(clients({i915(1, 0), i915(2, 0)}),
                                clients({i915(1, kSecond), i915(2, kSecond)}), kSecond);
  CHECK(uses.at("0000:00:02.0").busy == 1.0);
}

TEST_CASE("fdinfo: one look tells memory and no use") {
  const auto uses = use_between({}, clients({sample("drm-fdinfo-amdgpu.txt")}), kSecond);
  CHECK_FALSE(uses.at("0000:03:00.0").busy);
  CHECK(uses.at("0000:03:00.0").local_bytes == 15321 * kMiB);
}
