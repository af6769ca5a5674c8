// Where the program says what happened. A line is an event name and fields, in English, for
// operators; texts for users live in the UI.
// Secrets: never pass a key, token, prompt or answer. Fields are written as they are.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace sluice {

enum class LogLevel { debug, info, warning, error };

class Log {
 public:
  virtual ~Log() = default;
  virtual bool enabled(LogLevel level) const = 0;
  // `where` is the folder that speaks, e.g. "sense"; `line` is one line without line breaks.
  virtual void write(LogLevel level, std::string_view where, std::string_view line) = 0;

  template <class... Args>
  void say(LogLevel level, std::string_view where, fmt::format_string<Args...> format,
           Args&&... args) {
    if (enabled(level)) write(level, where, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void debug(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::debug, where, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::info, where, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::warning, where, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
    say(LogLevel::error, where, format, std::forward<Args>(args)...);
  }
};

}  // namespace sluice
