// A loop in a network and a mount namespace of its own, with an empty /run, and a second network
// namespace "pop" behind a veth. All of it goes when this ends.
//
//   here: wire0 10.213.1.1/24 ---- wire0 10.213.1.2/24 :pop
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/uapi/userspace_wireguard.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/held_descriptor.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/process.h"
#include "drivers/uv/timers.h"
#include "firmware/base/log.h"

namespace sluice::drivers {

inline HeldDescriptor space_of(const char* path) {
  return HeldDescriptor(::open(path, O_RDONLY | O_CLOEXEC));
}

// What a shell command writes, both streams; empty and a failed check if it fails.
inline std::string shell(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char bytes[4096];
  for (size_t size = 0; (size = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;) {
    out.append(bytes, size);
  }
  const int status = ::pclose(pipe);
  INFO(command << ": " << out);
  CHECK(status == 0);
  return out;
}

class OwnSpaces {
 public:
  OwnSpaces() {
    if (const auto possible = userspace_possible(); !possible) {
      why_ = possible.error().text;
      return;
    }
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
      why_ = std::string("no namespace can be made here: ") + std::strerror(errno);
      return;
    }
    entered_ = true;
    REQUIRE(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(::mount("none", "/run", "tmpfs", 0, nullptr) == 0);
    REQUIRE(::mount("none", "/sys", "sysfs", 0, nullptr) == 0);  // of our network
    shell(
        "set -e; ip link set lo up; ip netns add pop; ip link add wire0 type veth peer name wire1;"
        "ip link set wire1 netns pop; ip addr add 10.213.1.1/24 dev wire0; ip link set wire0 up;"
        "ip -n pop link set wire1 name wire0; ip -n pop addr add 10.213.1.2/24 dev wire0;"
        "ip -n pop link set wire0 up; ip -n pop link set lo up");
    here_ = space_of("/proc/thread-self/ns/net");
    pop_ = space_of("/run/netns/pop");
  }
  ~OwnSpaces() {
    if (!entered_) return;
    ::umount2("/run/netns/pop", MNT_DETACH);
    static_cast<void>(::setns(net_before_.number(), CLONE_NEWNET) == 0);
    static_cast<void>(::setns(mounts_before_.number(), CLONE_NEWNS) == 0);
  }
  OwnSpaces(const OwnSpaces&) = delete;
  OwnSpaces& operator=(const OwnSpaces&) = delete;

  bool work() const { return entered_; }
  const std::string& why() const { return why_; }
  void in_pop(const std::function<void()>& act) const {
    REQUIRE(::setns(pop_.number(), CLONE_NEWNET) == 0);
    act();
    REQUIRE(::setns(here_.number(), CLONE_NEWNET) == 0);
  }

 private:
  const HeldDescriptor net_before_ = space_of("/proc/self/ns/net");
  const HeldDescriptor mounts_before_ = space_of("/proc/self/ns/mnt");
  HeldDescriptor here_;
  HeldDescriptor pop_;
  bool entered_ = false;
  std::string why_;
};

struct KeptLog final : Log {
  std::string all;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    all.append(line).append("\n");
  }
};

struct LoopWorld {
  UvLoop loop;
  UvClock clock{loop};
  UvTimers timers{loop, clock};
  KeptLog log;

  // Until `is_so`, which is asked every millisecond; a test that hangs fails after `limit`.
  void run_until(const std::function<bool()>& is_so, Duration limit = Duration::seconds(20)) {
    const Instant end = clock.now() + limit;
    bool so = false;
    std::unique_ptr<ports::Timer> tick;
    tick = timers.make([&] {
      so = is_so();
      if (so || clock.now() > end) return loop.stop();
      tick->start(Duration::ms(1));
    });
    tick->start(Duration());
    loop.run();
    CHECK(so);
  }

  // Kills, and waits until it has ended.
  void end(pid_t pid) {
    bool ended = false;
    auto process = UvProcess::watch(loop, pid, [&](int) { ended = true; });
    REQUIRE(process);
    (*process)->send(SIGKILL);
    run_until([&] { return ended; });
  }

  Result<void> wait(const std::function<void(ports::WireGuard::Done)>& begin) {
    std::optional<Result<void>> end;
    begin([&](Result<void> told) { end = std::move(told); });
    CHECK_FALSE(end.has_value());  // never inside the call
    run_until([&] { return end.has_value(); });
    return end.value_or(Error{ErrorKind::broken, "test", "no answer"});
  }
  Result<void> open(ports::WireGuard& wireguard, const std::string& interface) {
    return wait([&](auto done) { wireguard.open(interface, done); });
  }
  Result<void> change(ports::WireGuard& wireguard, const ports::WgChange& change) {
    return wait([&](auto done) { wireguard.change(change, done); });
  }
  Result<void> remove(ports::WireGuard& wireguard, const std::string& interface) {
    return wait([&](auto done) { wireguard.remove(interface, done); });
  }
  Result<ports::WgState> read(ports::WireGuard& wireguard, const std::string& interface) {
    std::optional<Result<ports::WgState>> end;
    wireguard.read(interface, [&](Result<ports::WgState> told) { end = std::move(told); });
    CHECK_FALSE(end.has_value());
    run_until([&] { return end.has_value(); });
    return end.value_or(Error{ErrorKind::broken, "test", "no answer"});
  }
};

}  // namespace sluice::drivers
