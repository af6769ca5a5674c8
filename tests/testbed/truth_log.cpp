#include "tests/testbed/truth_log.h"

#include <cerrno>
#include <cinttypes>
#include <cstring>

namespace sluice::testbed {

TruthLog::~TruthLog() {
  if (file_ != nullptr) std::fclose(file_);
}

std::optional<std::string> TruthLog::open(const std::string& path) {
  file_ = std::fopen(path.c_str(), "we");
  if (file_ == nullptr) return path + ": " + std::strerror(errno);
  std::setvbuf(file_, nullptr, _IOLBF, 0);
  return std::nullopt;
}

void TruthLog::note(Micros now, int running, int waiting) {
  if (file_ == nullptr || (running == running_ && waiting == waiting_)) return;
  running_ = running;
  waiting_ = waiting;
  std::fprintf(file_, "%" PRId64 " %d %d\n", now, running, waiting);
}

}  // namespace sluice::testbed
