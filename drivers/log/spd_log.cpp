#include "drivers/log/spd_log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "drivers/log/log_line.h"

namespace sluice::drivers {

namespace {

spdlog::level::level_enum to_library(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

LogStyle style_of_stderr(const char* journal_stream) {
  if (journal_stream == nullptr) return LogStyle::dated;
  struct stat found {};
  if (fstat(STDERR_FILENO, &found) != 0) return LogStyle::dated;
  const bool same = fmt::format("{}:{}", found.st_dev, found.st_ino) == journal_stream;
  return same ? LogStyle::journal : LogStyle::dated;
}

SpdLog::SpdLog(LogLevel level, LogStyle style) : SpdLog(level, style, std::cerr) {}

SpdLog::SpdLog(LogLevel level, LogStyle style, std::ostream& out) : style_(style) {
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out, true);
  logger_ = std::make_unique<spdlog::logger>("sluiced", std::move(sink));
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      style == LogStyle::journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %v",
      spdlog::pattern_time_type::utc, "\n"));
  set_level(level);
}

SpdLog::~SpdLog() = default;

void SpdLog::set_level(LogLevel level) { logger_->set_level(to_library(level)); }

bool SpdLog::enabled(LogLevel level) const { return logger_->should_log(to_library(level)); }

void SpdLog::write(LogLevel level, std::string_view where, std::string_view line) {
  const std::string priority =
      style_ == LogStyle::journal ? fmt::format("<{}>", journal_priority(level)) : "";
  const std::string text =
      fmt::format("{}{} {}: {}", priority, to_text(level), where, one_line(line, kLogLineMax));
  logger_->log(to_library(level), spdlog::string_view_t(text));
}

}  // namespace sluice::drivers
