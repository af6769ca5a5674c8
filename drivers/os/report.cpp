#include "drivers/os/report.h"

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>

#include "firmware/ports/successor.h"

namespace sluice::drivers {

Report::Report(int descriptor) : pipe_(descriptor) {
  if (pipe_.is_open()) ::fcntl(pipe_.number(), F_SETFD, FD_CLOEXEC);
  std::signal(SIGPIPE, SIG_IGN);  // who asked may be gone
}

void Report::say(std::string_view line) {
  if (!pipe_.is_open()) return;
  std::string text(line.substr(0, ports::kReportMax - 1));
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += '\n';
  (void)write_all(pipe_, text);
  const Descriptor done = std::move(pipe_);
}

void close_descriptor(int descriptor) { const Descriptor done(descriptor); }

}  // namespace sluice::drivers
