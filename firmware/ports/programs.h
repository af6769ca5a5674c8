// The system's own programs (nft, tc): run once, with text on standard input, to their end.
// Thread: loop; the answer comes in a later turn.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::ports {

inline constexpr size_t kProgramOutputMax = 64 * 1024;  // of each stream; the rest is dropped

struct ProgramSpec {
  std::string program;                 // a name is sought in /usr/sbin, /usr/bin, /sbin, /bin
  std::vector<std::string> arguments;  // never a secret: every user sees them
  std::string input;
  Duration time_max = Duration::seconds(5);  // then it is killed
};

struct ProgramEnd {
  int exit_code = 0;  // 128 + signal when one ended it
  std::string output;
  std::string errors;
};

class ProgramRun {  // destroying it kills the program
 public:
  virtual ~ProgramRun() = default;
};

class Programs {
 public:
  // Errors: unsupported (no such program here), busy (it took too long), gone (could not start).
  // An exit code other than 0 is not an error here.
  using Done = std::function<void(Result<ProgramEnd>)>;
  virtual ~Programs() = default;
  virtual std::unique_ptr<ProgramRun> run(ProgramSpec spec, Done done) = 0;
};

}  // namespace sluice::ports
