// wireguard-suite: what every WireGuard backend promises, tried on a real kernel. As root.
//
//   wireguard-suite [--backend kernel|userspace] [doctest's options]
//
// Prints a line for each check, and what failed in it.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "tests/image/wireguard/lab.h"

namespace {

sluice::image::Backend& backend() {
  static sluice::image::Backend chosen = sluice::image::Backend::kernel;
  return chosen;
}

// A line for each check.
struct Table final : doctest::IReporter {
  explicit Table(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& all) override {
    std::printf("checks: %u passed, %u failed\n",
                all.numTestCasesPassingFilters - all.numTestCasesFailed, all.numTestCasesFailed);
  }
  void test_case_start(const doctest::TestCaseData& data) override { name = data.m_name; }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    std::printf("%-6s %6.2f s  %s\n", stats.testCaseSuccess ? "ok" : "FAILED", stats.seconds, name);
    std::fflush(stdout);
  }
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
  const char* name = "";
};
DOCTEST_REGISTER_LISTENER("table", 1, Table);

}  // namespace

namespace sluice::image {

Backend chosen_backend() { return backend(); }

}  // namespace sluice::image

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--backend") != 0) continue;
    const std::string name = i + 1 < count ? words[i + 1] : "";
    if (name != "kernel" && name != "userspace") {
      std::fprintf(stderr, "wireguard-suite: --backend needs kernel or userspace\n");
      return 2;
    }
    backend() =
        name == "kernel" ? sluice::image::Backend::kernel : sluice::image::Backend::userspace;
  }
  doctest::Context context(count, words);
  context.setOption("no-intro", true);
  context.setOption("no-colors", true);
  if (backend() != sluice::image::Backend::kernel)
    context.addFilter("test-case-exclude", "kernel*");
  return context.run();
}
