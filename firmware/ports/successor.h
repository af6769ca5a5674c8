// Another process of this program that is to take over from this one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::ports {

struct SuccessorSpec {
  std::string program;                   // path
  std::vector<std::string> arguments;    // behind the program's name
  std::vector<std::string> environment;  // additional, NAME=value; replaces those of the same name
  std::vector<int> descriptors;          // become kFirstInherited + 1, + 2, ... in it
};

// The descriptor on which it reports, one line.
inline constexpr int kFirstInherited = 3;
inline constexpr size_t kReportMax = 4096;

class Successor {  // destroying it lets the process run on
 public:
  virtual ~Successor() = default;
  virtual int pid() const = 0;
  virtual void ask_to_end() = 0;  // SIGTERM
  virtual void kill() = 0;        // SIGKILL
};

class Successors {
 public:
  virtual ~Successors() = default;
  // `on_report` once, from a turn of its own: the line that it wrote, without its line break.
  // `on_lost` at most once, after the report: it ended, but not with exit code 0.
  // Errors: of the start: refused; of the report: gone, it ended before, and how.
  using OnReport = std::function<void(Result<std::string>)>;
  using OnLost = std::function<void(const Error& how)>;
  virtual Result<std::unique_ptr<Successor>> start(SuccessorSpec spec, OnReport on_report,
                                                   OnLost on_lost) = 0;
};

}  // namespace sluice::ports
