#include "firmware/tunnel/switch_log.h"

#include <doctest/doctest.h>

#include "tests/script/memory.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

// A disk that can be full.
class Disk : public script::MemoryFiles {
 public:
  bool full = false;
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override {
    if (full) return Error{ErrorKind::broken, "disk", "no space left"};
    return MemoryFiles::open_append(path);
  }
};

struct Lines : Log {
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
};

const std::string kPath = "state/switches.jsonl";

SwitchRecord moved(const std::string& to) {
  SwitchRecord record;
  record.to = to;
  record.reason = Reason::path_dead;
  return record;
}

}  // namespace

TEST_CASE("switch log: it numbers records and finds them again after a restart") {
  Disk disk;
  Lines log;
  {
    SwitchLog switches(disk, "state", log);
    switches.open();
    CHECK(switches.count() == 0);
    CHECK(switches.add(moved("a")).number == 1);
    CHECK(switches.add(moved("b")).number == 2);
  }
  SwitchLog switches(disk, "state", log);
  switches.open();
  CHECK(switches.count() == 2);
  CHECK(switches.kept().front().to == "a");
  CHECK(switches.add(moved("c")).number == 3);
  CHECK(switches.kept().size() == 3);
  CHECK(log.lines.empty());
}

TEST_CASE("switch log: memory and files are bounded, the newest stay") {
  Disk disk;
  Lines log;
  {
    SwitchLog switches(disk, "state", log);
    switches.open();
    for (int i = 0; i < 20'000; ++i) switches.add(moved(std::to_string(i)));
    CHECK(switches.kept().size() == SwitchLog::kKept);
    CHECK(switches.kept().back().to == "19999");
  }
  CHECK(disk.files.size() == 2);
  for (const auto& [path, content] : disk.files) {
    CHECK(content.size() < static_cast<size_t>(SwitchLog::kFileMax.count) + 1000);
  }
  SwitchLog switches(disk, "state", log);
  switches.open();
  CHECK(switches.count() == 20'000);
  CHECK(switches.kept().size() == SwitchLog::kKept);
  CHECK(switches.kept().back().to == "19999");
}

TEST_CASE("switch log: a line that a power cut left half does not spoil the next one") {
  Disk disk;
  Lines log;
  {
    SwitchLog switches(disk, "state", log);
    switches.open();
    switches.add(moved("a"));
    switches.add(moved("b"));
  }
  disk.files[kPath].resize(disk.files[kPath].size() - 20);
  {
    SwitchLog switches(disk, "state", log);
    switches.open();
    CHECK(switches.count() == 1);
    switches.add(moved("c"));
  }
  SwitchLog switches(disk, "state", log);
  switches.open();
  REQUIRE(switches.kept().size() == 2);
  CHECK(switches.kept().back().to == "c");
}

TEST_CASE("switch log: a full disk is said once, and when it is over") {
  Disk disk;
  Lines log;
  disk.full = true;
  SwitchLog switches(disk, "state", log);
  switches.open();
  switches.add(moved("a"));
  switches.add(moved("b"));
  CHECK(switches.kept().size() == 2);
  REQUIRE(log.lines.size() == 1);
  CHECK(log.lines[0].find("kept in memory only") != std::string::npos);
  disk.full = false;
  switches.add(moved("c"));
  CHECK(log.lines.size() == 2);
  CHECK(disk.files[kPath].find("\"to\":\"c\"") != std::string::npos);
}
