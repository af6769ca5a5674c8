#include "drivers/uv/successors.h"

#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "drivers/uv/addresses.h"
#include "firmware/base/check.h"

extern char** environ;

namespace sluice::drivers {

namespace {

std::string name_of(std::string_view variable) {
  return std::string(variable.substr(0, variable.find('=') + 1));
}

std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** at = environ; *at != nullptr; ++at) {
    bool replaced = false;
    for (const std::string& own : more) replaced = replaced || name_of(own) == name_of(*at);
    if (!replaced) all.emplace_back(*at);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class UvSuccessor final : public ports::Successor {
 public:
  UvSuccessor(ports::Successors::OnReport on_report, ports::Successors::OnLost on_lost)
      : on_report_(std::move(on_report)),
        on_lost_(std::move(on_lost)),
        process_(new uv_process_t),
        pipe_(new uv_pipe_t) {
    process_->data = this;
    pipe_->data = this;
  }
  ~UvSuccessor() override;
  UvSuccessor(const UvSuccessor&) = delete;
  UvSuccessor& operator=(const UvSuccessor&) = delete;

  int pid() const override { return ends_ ? 0 : process_->pid; }
  void ask_to_end() override { send(SIGTERM); }
  void kill() override { send(SIGKILL); }
  // Each returns an error code of libuv, or 0.
  int run(UvLoop& loop, ports::SuccessorSpec spec, int report);
  int listen(UvLoop& loop, int report);

 private:
  static void on_exit(uv_process_t* process, int64_t status, int signal) noexcept;
  static void on_buffer(uv_handle_t* handle, size_t, uv_buf_t* buffer) noexcept;
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) noexcept;

  void send(int signal) {
    if (!ends_) uv_process_kill(process_, signal);
  }
  void take(ssize_t count);
  void take_rest();
  std::optional<Result<std::string>> line() const;
  void report(Result<std::string> what);
  void end(const Error& how, bool is_well);

  ports::Successors::OnReport on_report_;
  ports::Successors::OnLost on_lost_;
  uv_process_t* const process_;  // each lives until its close callback
  uv_pipe_t* const pipe_;
  bool has_process_ = false;
  bool has_pipe_ = false;
  bool ends_ = false;
  std::array<char, ports::kReportMax> buffer_ = {};
  std::string heard_;
};

UvSuccessor::~UvSuccessor() {
  if (has_process_) {
    uv_close(reinterpret_cast<uv_handle_t*>(process_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_process_t*>(closed); });
  } else {
    delete process_;
  }
  if (has_pipe_) {
    uv_close(reinterpret_cast<uv_handle_t*>(pipe_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_pipe_t*>(closed); });
  } else {
    delete pipe_;
  }
}

int UvSuccessor::listen(UvLoop& loop, int report) {
  ENSURE(uv_pipe_init(loop.raw(), pipe_, 0) == 0);
  has_pipe_ = true;
  const int code = uv_pipe_open(pipe_, report);
  if (code != 0) {
    ::close(report);
    return code;
  }
  return uv_read_start(reinterpret_cast<uv_stream_t*>(pipe_), on_buffer, on_read);
}

int UvSuccessor::run(UvLoop& loop, ports::SuccessorSpec spec, int report) {
  std::vector<uv_stdio_container_t> inherited;
  const auto inherit = [&inherited](int descriptor) {
    uv_stdio_container_t one = {};
    one.flags = UV_INHERIT_FD;
    one.data.fd = descriptor;
    inherited.push_back(one);
  };
  for (int standard = 0; standard < ports::kFirstInherited; ++standard) inherit(standard);
  inherit(report);
  for (const int descriptor : spec.descriptors) inherit(descriptor);
  std::vector<std::string> arguments = std::move(spec.arguments);
  arguments.insert(arguments.begin(), spec.program);
  std::vector<std::string> environment = environment_with(spec.environment);
  std::vector<char*> argument_pointers = pointers_to(arguments);
  std::vector<char*> environment_pointers = pointers_to(environment);
  uv_process_options_t options = {};
  options.exit_cb = on_exit;
  options.file = spec.program.c_str();
  options.args = argument_pointers.data();
  options.env = environment_pointers.data();
  options.stdio = inherited.data();
  options.stdio_count = static_cast<int>(inherited.size());
  has_process_ = true;  // libuv has initialised the handle even where it fails
  const int code = uv_spawn(loop.raw(), process_, &options);
  ends_ = code != 0;
  return code;
}

void UvSuccessor::on_exit(uv_process_t* process, int64_t status, int signal) noexcept {
  auto* successor = static_cast<UvSuccessor*>(process->data);
  const Error how{ErrorKind::gone, "uv",
                  signal != 0 ? "it ended by signal " + std::to_string(signal)
                              : "it ended with exit code " + std::to_string(status)};
  successor->end(how, signal == 0 && status == 0);
}

// Each callback may destroy this.
void UvSuccessor::end(const Error& how, bool is_well) {
  ends_ = true;
  if (on_report_) {
    take_rest();
    return report(line().value_or(how));
  }
  const ports::Successors::OnLost tell = std::move(on_lost_);
  on_lost_ = nullptr;
  if (tell && !is_well) tell(how);
}

void UvSuccessor::on_buffer(uv_handle_t* handle, size_t, uv_buf_t* buffer) noexcept {
  auto* successor = static_cast<UvSuccessor*>(handle->data);
  *buffer = uv_buf_init(successor->buffer_.data(), successor->buffer_.size());
}

void UvSuccessor::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) noexcept {
  static_cast<UvSuccessor*>(stream->data)->take(count);
}

// The end of the pipe alone says nothing: how the process ends does, or the time it takes.
void UvSuccessor::take(ssize_t count) {
  if (count < 0) uv_read_stop(reinterpret_cast<uv_stream_t*>(pipe_));
  if (count > 0) heard_.append(buffer_.data(), static_cast<size_t>(count));
  if (auto said = line()) report(*std::move(said));
}

// What it wrote last may not have been read when its end is seen.
void UvSuccessor::take_rest() {
  uv_os_fd_t descriptor = -1;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(pipe_), &descriptor) != 0) return;
  const ssize_t rest = ::read(descriptor, buffer_.data(), buffer_.size());
  if (rest > 0) heard_.append(buffer_.data(), static_cast<size_t>(rest));
}

std::optional<Result<std::string>> UvSuccessor::line() const {
  const size_t end = heard_.find('\n');
  if (end == std::string::npos && heard_.size() < ports::kReportMax) return std::nullopt;
  return Result<std::string>(heard_.substr(0, end));
}

void UvSuccessor::report(Result<std::string> what) {
  if (!on_report_) return;
  const ports::Successors::OnReport tell = std::move(on_report_);
  on_report_ = nullptr;
  tell(std::move(what));  // may destroy this
}

}  // namespace

Result<std::unique_ptr<ports::Successor>> UvSuccessors::start(ports::SuccessorSpec spec,
                                                              OnReport on_report, OnLost on_lost) {
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error{ErrorKind::busy, "uv", "no pipe can be made: the descriptors are used up"};
  }
  auto successor = std::make_unique<UvSuccessor>(std::move(on_report), std::move(on_lost));
  const std::string program = spec.program;
  int code = successor->listen(loop_, ends[0]);
  if (code == 0) code = successor->run(loop_, std::move(spec), ends[1]);
  ::close(ends[1]);
  if (code != 0) {
    return Error{ErrorKind::refused, "uv", "cannot start " + program + ": " + uv_reason(code)};
  }
  return std::unique_ptr<ports::Successor>(std::move(successor));
}

}  // namespace sluice::drivers
