#include "tests/testbed/engine_records.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace sluice::testbed {

EngineRecords::~EngineRecords() {
  if (file_ != nullptr) std::fclose(file_);
}

std::optional<std::string> EngineRecords::open(const std::string& path) {
  file_ = std::fopen(path.c_str(), "ae");
  if (file_ == nullptr) return path + ": " + std::strerror(errno);
  std::setvbuf(file_, nullptr, _IOLBF, 0);
  return std::nullopt;
}

void EngineRecords::note(std::string_view request, bool stream, std::int64_t prompt,
                         std::int64_t tokens, std::string_view outcome) {
  if (file_ == nullptr) return;
  const nlohmann::json line = {{"request", request},
                               {"stream", stream},
                               {"prompt", prompt},
                               {"tokens", tokens},
                               {"outcome", outcome}};
  const std::string text =
      line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), file_);
}

}  // namespace sluice::testbed
