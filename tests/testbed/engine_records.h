// What an engine did for each inference request, a JSON line when it ended: to be held against the
// books of whoever asked.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::testbed {

class EngineRecords {
 public:
  EngineRecords() = default;
  ~EngineRecords();
  EngineRecords(const EngineRecords&) = delete;
  EngineRecords& operator=(const EngineRecords&) = delete;

  // Appends to the file; an error text when it cannot be opened. Without it nothing is recorded.
  std::optional<std::string> open(const std::string& path);
  // `request`: its x-request-id. `tokens`: generated; of a stream those handed to the connection.
  void note(std::string_view request, bool stream, std::int64_t prompt, std::int64_t tokens,
            std::string_view outcome);

 private:
  std::FILE* file_ = nullptr;
};

}  // namespace sluice::testbed
