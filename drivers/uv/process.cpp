#include "drivers/uv/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr std::array<const char*, 4> kFolders = {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"};
constexpr int kDescriptorsMax = 16;  // that a child gets

// glibc 2.36 has these only for C.
int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
int pidfd_getfd(int process, int number) {
  return static_cast<int>(::syscall(SYS_pidfd_getfd, process, number, 0));
}
void pidfd_send_signal(int process, int signal) {
  ::syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What a child is started with. Ignored signals (SIGPIPE) would stay ignored over exec.
class SpawnSetup {
 public:
  explicit SpawnSetup(bool own_session) {
    ENSURE(posix_spawnattr_init(&attributes_) == 0);
    ENSURE(posix_spawn_file_actions_init(&actions_) == 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    const int session = own_session ? POSIX_SPAWN_SETSID : 0;
    posix_spawnattr_setflags(
        &attributes_, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session));
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  // Each is first taken out of the way of the numbers that are given out.
  bool give(const std::vector<int>& descriptors) {
    int next = 0;
    for (const int descriptor : descriptors) {
      held_.emplace_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, kDescriptorsMax));
      if (!held_.back().is_open()) return false;
      posix_spawn_file_actions_adddup2(&actions_, held_.back().number(), next++);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, next);
    return true;
  }
  const posix_spawnattr_t* attributes() const { return &attributes_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
  std::vector<HeldDescriptor> held_;
};

Error start_error(const std::string& program, int code) {
  const std::string text = "cannot start " + program + ": " + std::strerror(code);
  if (code == ENOENT) return {ErrorKind::unsupported, "uv", text};
  const bool busy = code == EAGAIN || code == ENOMEM || code == EMFILE || code == ENFILE;
  return {busy ? ErrorKind::busy : ErrorKind::refused, "uv", text};
}

}  // namespace

Result<std::string> program_path(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    if (::access(program.c_str(), X_OK) == 0) return program;
  } else {
    for (const char* folder : kFolders) {
      std::string path = folder + program;
      if (!program.empty() && ::access(path.c_str(), X_OK) == 0) return path;
    }
  }
  return Error{ErrorKind::unsupported, "uv", "the program " + program + " is not installed here"};
}

struct UvProcess::Poll {
  uv_poll_t handle;
  UvProcess* owner;  // null: nobody watches
  static void on_ready(uv_poll_t* handle, int /*status*/, int /*events*/) noexcept {
    Poll& poll = *static_cast<Poll*>(handle->data);
    if (poll.owner != nullptr) poll.owner->ended();
  }
};

UvProcess::UvProcess(pid_t pid, HeldDescriptor handle, OnEnd on_end)
    : pid_(pid), handle_(std::move(handle)), on_end_(std::move(on_end)) {}

UvProcess::~UvProcess() {
  if (poll_ == nullptr) return;
  poll_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
}

void UvProcess::watch_on(UvLoop& loop) {
  poll_ = new Poll{{}, this};
  ENSURE(uv_poll_init(loop.raw(), &poll_->handle, handle_.number()) == 0);
  poll_->handle.data = poll_;
  ENSURE(uv_poll_start(&poll_->handle, UV_READABLE, Poll::on_ready) == 0);
}

Result<std::unique_ptr<UvProcess>> UvProcess::start(UvLoop& loop, const SpawnSpec& spec,
                                                    OnEnd on_end) {
  ENSURE(spec.descriptors.size() <= size_t{kDescriptorsMax});
  SpawnSetup setup(spec.own_session);
  if (!setup.give(spec.descriptors)) return start_error(spec.program, errno);
  std::vector<std::string> arguments = spec.arguments;
  arguments.insert(arguments.begin(), spec.program);
  std::vector<std::string> environment = spec.environment;
  std::vector<char*> argument_pointers = pointers_to(arguments);
  std::vector<char*> environment_pointers = pointers_to(environment);
  pid_t pid = 0;
  const int code = posix_spawn(&pid, spec.program.c_str(), setup.actions(), setup.attributes(),
                               argument_pointers.data(), environment_pointers.data());
  if (code != 0) return start_error(spec.program, code);
  // The number is the child's until it is waited for.
  HeldDescriptor handle(pidfd_open(pid));
  if (!handle.is_open()) {
    const int why = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return start_error(spec.program, why);
  }
  std::unique_ptr<UvProcess> process(new UvProcess(pid, std::move(handle), std::move(on_end)));
  process->watch_on(loop);
  return process;
}

Result<std::unique_ptr<UvProcess>> UvProcess::watch(UvLoop& loop, pid_t pid, OnEnd on_end) {
  HeldDescriptor handle(pid > 0 ? pidfd_open(pid) : -1);
  if (!handle.is_open()) {
    return Error{ErrorKind::gone, "uv", "there is no process " + std::to_string(pid)};
  }
  std::unique_ptr<UvProcess> process(new UvProcess(pid, std::move(handle), std::move(on_end)));
  process->watch_on(loop);
  return process;
}

bool UvProcess::has_ended() const {
  pollfd ended = {handle_.number(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 1;
}

void UvProcess::send(int signal) { pidfd_send_signal(handle_.number(), signal); }

Result<HeldDescriptor> UvProcess::descriptor(int number) const {
  HeldDescriptor copy(pidfd_getfd(handle_.number(), number));
  if (copy.is_open()) return copy;
  return Error{errno == ENOSYS ? ErrorKind::unsupported : ErrorKind::refused, "uv",
               "a descriptor of process " + std::to_string(pid_) +
                   " cannot be shared: " + std::strerror(errno)};
}

int UvProcess::reap() {
  siginfo_t how = {};
  if (::waitid(P_PIDFD, static_cast<id_t>(handle_.number()), &how, WEXITED | WNOHANG) != 0 ||
      how.si_pid == 0) {
    return kNotOurs;
  }
  return how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status;
}

void UvProcess::ended() {
  uv_poll_stop(&poll_->handle);
  const int exit_code = reap();
  const OnEnd tell = std::move(on_end_);
  on_end_ = nullptr;
  if (tell) tell(exit_code);  // may destroy this
}

void UvProcess::Ending::kill(std::unique_ptr<UvProcess> process) {
  process->on_end_ = nullptr;
  process->send(SIGKILL);
  processes_.push_back(std::move(process));
}

void UvProcess::Ending::sweep() {
  processes_.remove_if([](const std::unique_ptr<UvProcess>& process) {
    if (!process->has_ended()) return false;
    process->reap();  // unless its callback has
    return true;
  });
}

}  // namespace sluice::drivers
