#include "drivers/log/spd_log.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>

using namespace sluice;
using drivers::LogStyle;
using drivers::SpdLog;

namespace {

std::string shape_of(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
  return text;
}

}  // namespace

TEST_CASE("log: a line has date, level, place and text") {
  std::ostringstream out;
  SpdLog log(LogLevel::info, LogStyle::dated, out);
  log.info("sense", "engine {} is {}", "a", 7);
  const std::string line = out.str();
  INFO(line);
  CHECK(shape_of(line.substr(0, 24)) == "0000-00-00T00:00:00.000Z");
  CHECK(line.substr(24) == " info sense: engine a is 7\n");
}

TEST_CASE("log: under the journal a priority stands in place of the date") {
  std::ostringstream out;
  SpdLog log(LogLevel::debug, LogStyle::journal, out);
  log.debug("box", "a");
  log.info("box", "b");
  log.warning("box", "c");
  log.error("box", "d");
  CHECK(out.str() == "<7>debug box: a\n<6>info box: b\n<4>warning box: c\n<3>error box: d\n");
}

TEST_CASE("log: the level can be set while running") {
  std::ostringstream out;
  SpdLog log(LogLevel::warning, LogStyle::journal, out);
  CHECK_FALSE(log.enabled(LogLevel::info));
  CHECK(log.enabled(LogLevel::error));
  log.info("box", "unseen");
  log.set_level(LogLevel::debug);
  CHECK(log.enabled(LogLevel::debug));
  log.info("box", "seen");
  log.set_level(LogLevel::error);
  log.warning("box", "unseen");
  CHECK(out.str() == "<6>info box: seen\n");
}

TEST_CASE("log: no text can forge a second line or reach the terminal") {
  std::ostringstream out;
  SpdLog log(LogLevel::info, LogStyle::journal, out);
  log.info("proxy", "{}", std::string_view("a\n<0>b\r\t\x1b[31m\x7f\0z", 16));
  log.info("proxy", "中文 100% {}", "%v {}");
  CHECK(out.str() ==
        "<6>info proxy: a\\n<0>b\\r\\t\\x1b[31m\\x7f\\x00z\n<6>info proxy: 中文 100% %v {}\n");
}

TEST_CASE("log: a long text is cut") {
  std::ostringstream out;
  SpdLog log(LogLevel::info, LogStyle::journal, out);
  log.info("a", "{}", std::string(drivers::kLogLineMax, 'x'));
  log.info("a", "{}", std::string(drivers::kLogLineMax + 1, 'x'));
  const std::string all(drivers::kLogLineMax, 'x');
  CHECK(out.str() == "<6>info a: " + all + "\n<6>info a: " + all + "...\n");
}

TEST_CASE("log: the journal is known by the identity of standard error") {
  struct stat found {};
  REQUIRE(fstat(2, &found) == 0);
  const std::string same = fmt::format("{}:{}", found.st_dev, found.st_ino);
  CHECK(drivers::style_of_stderr(same.c_str()) == LogStyle::journal);
  CHECK(drivers::style_of_stderr((same + "1").c_str()) == LogStyle::dated);
  CHECK(drivers::style_of_stderr("") == LogStyle::dated);
  CHECK(drivers::style_of_stderr(nullptr) == LogStyle::dated);
}
