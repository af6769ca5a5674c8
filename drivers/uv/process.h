// A process that is watched to its end: a child that was started here, or any other, by pidfd
// (pidfd_open(2), Linux 5.3). A signal to it never hits another process that got its number.
// For drivers only.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "drivers/uv/held_descriptor.h"
#include "drivers/uv/loop.h"
#include "firmware/base/result.h"

namespace sluice::drivers {

struct SpawnSpec {
  std::string program;                   // a path
  std::vector<std::string> arguments;    // without the program itself
  std::vector<std::string> environment;  // all of it, "NAME=value"
  std::vector<int> descriptors;          // become 0, 1, 2, ...; all others are closed
  bool own_session = false;              // no signal of our terminal or group reaches it
};

// The path of a program: itself when it has a slash, else in /usr/sbin, /usr/bin, /sbin, /bin.
// Errors: unsupported (no such program here).
Result<std::string> program_path(const std::string& program);

class UvProcess {
 public:
  // `exit_code`: 128 + signal when one ended it; kNotOurs of a process that is no child of ours.
  using OnEnd = std::function<void(int exit_code)>;
  static constexpr int kNotOurs = -1;

  // Children that were killed when nobody waited for them any more: reaped when they have ended.
  class Ending {
   public:
    Ending() = default;
    ~Ending() = default;
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    void kill(std::unique_ptr<UvProcess> process);
    void sweep();  // forgets those that have ended

   private:
    std::list<std::unique_ptr<UvProcess>> processes_;
  };

  // Errors: unsupported (no such program), busy (no process or descriptor is to be had), refused.
  static Result<std::unique_ptr<UvProcess>> start(UvLoop& loop, const SpawnSpec& spec,
                                                  OnEnd on_end);
  // Errors: gone (no such process).
  static Result<std::unique_ptr<UvProcess>> watch(UvLoop& loop, pid_t pid, OnEnd on_end);

  // Stops watching; the process goes on. From inside on_end too.
  ~UvProcess();
  UvProcess(const UvProcess&) = delete;
  UvProcess& operator=(const UvProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool has_ended() const;  // also before on_end was called
  void send(int signal);
  // A duplicate of a descriptor of that process (pidfd_getfd(2), Linux 5.6).
  // Errors: refused (no permission, no such descriptor), unsupported.
  Result<HeldDescriptor> descriptor(int number) const;

 private:
  struct Poll;
  UvProcess(pid_t pid, HeldDescriptor handle, OnEnd on_end);
  void watch_on(UvLoop& loop);
  void ended();
  int reap();

  // Fixed after construction.
  const pid_t pid_;
  HeldDescriptor handle_;  // the pidfd
  // Changes.
  OnEnd on_end_;
  Poll* poll_ = nullptr;  // lives until its close callback
};

}  // namespace sluice::drivers
