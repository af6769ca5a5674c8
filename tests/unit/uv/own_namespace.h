// The calling thread in a network namespace of its own, until this ends. NAME in the commands is a
// second, named one, which is removed after.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace sluice::drivers {

class OwnNamespace {
 public:
  explicit OwnNamespace(std::string commands)
      : name_("userspace-" + std::to_string(::getpid())),
        before_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (before_ < 0 || ::unshare(CLONE_NEWNET) != 0) {
      why_ = std::strerror(errno);
      return;
    }
    entered_ = true;
    for (size_t at = commands.find("NAME"); at != std::string::npos; at = commands.find("NAME")) {
      commands.replace(at, 4, name_);
    }
    if (std::system(("set -e; " + commands).c_str()) != 0) why_ = "a command has failed";
  }
  ~OwnNamespace() {
    if (entered_) static_cast<void>(::setns(before_, CLONE_NEWNET) == 0);
    if (before_ >= 0) ::close(before_);
    static_cast<void>(std::system(("ip netns delete " + name_ + " 2>/dev/null").c_str()) == 0);
  }
  OwnNamespace(const OwnNamespace&) = delete;
  OwnNamespace& operator=(const OwnNamespace&) = delete;
  bool works() const { return entered_ && why_.empty(); }
  const std::string& why() const { return why_; }
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  const int before_;
  bool entered_ = false;
  std::string why_;
};

}  // namespace sluice::drivers
