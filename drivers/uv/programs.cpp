#include "drivers/uv/programs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr size_t kInputMax = size_t{1024} * 1024;
constexpr int kReadsPerWake = 16;

// One stream of output. Read to its end also when nothing more is kept, or the program would wait.
class OutputPipe {
 public:
  OutputPipe(UvLoop& loop, HeldDescriptor descriptor)
      : loop_(loop), descriptor_(std::move(descriptor)), poll_(new Poll{{}, this}) {
    ENSURE(uv_poll_init(loop.raw(), &poll_->handle, descriptor_.number()) == 0);
    poll_->handle.data = poll_;
    ENSURE(uv_poll_start(&poll_->handle, UV_READABLE, Poll::on_ready) == 0);
  }
  ~OutputPipe() {
    poll_->owner = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle),
             [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
  }
  OutputPipe(const OutputPipe&) = delete;
  OutputPipe& operator=(const OutputPipe&) = delete;

  std::string take() {  // all that has been written until now
    read_some();
    return std::move(kept_);
  }

 private:
  struct Poll {
    uv_poll_t handle;
    OutputPipe* owner;
    static void on_ready(uv_poll_t* handle, int /*status*/, int /*events*/) noexcept {
      Poll& poll = *static_cast<Poll*>(handle->data);
      if (poll.owner != nullptr) poll.owner->read_some();
    }
  };

  void read_some() {
    const auto room = loop_.read_buffer();
    for (int left = kReadsPerWake; left > 0; --left) {
      const ssize_t size = ::read(descriptor_.number(), room.data(), room.size());
      if (size < 0) return;
      if (size == 0) {
        uv_poll_stop(&poll_->handle);
        return;
      }
      kept_.append(room.data(),
                   std::min(static_cast<size_t>(size), ports::kProgramOutputMax - kept_.size()));
    }
  }

  UvLoop& loop_;
  HeldDescriptor descriptor_;
  Poll* const poll_;  // lives until its close callback
  std::string kept_;
};

struct Pipes {
  HeldDescriptor input;  // holds the text: nobody waits for the program to read it
  std::array<HeldDescriptor, 2> output;
  std::array<HeldDescriptor, 2> errors;
};

bool make_pipe(std::array<HeldDescriptor, 2>& ends) {
  std::array<int, 2> numbers = {};
  if (::pipe2(numbers.data(), O_CLOEXEC) != 0) return false;
  ends = {HeldDescriptor(numbers[0]), HeldDescriptor(numbers[1])};
  return ::fcntl(numbers[0], F_SETFL, O_NONBLOCK) == 0;
}

bool make_pipes(std::string_view input, Pipes& pipes) {
  pipes.input = HeldDescriptor(::memfd_create("input", MFD_CLOEXEC));
  if (!pipes.input.is_open() || !make_pipe(pipes.output) || !make_pipe(pipes.errors)) return false;
  return ::pwrite(pipes.input.number(), input.data(), input.size(), 0) ==
         static_cast<ssize_t>(input.size());
}

//   starting --> running --ended--> over
//   starting --> failing --a turn later--> over;  running --out of time--> over
class UvProgramRun final : public ports::ProgramRun {
 public:
  UvProgramRun(UvLoop& loop, ports::Timers& timers, UvProcess::Ending& ending,
               ports::ProgramSpec spec, ports::Programs::Done done);
  ~UvProgramRun() override {
    if (process_) ending_.kill(std::move(process_));
  }
  UvProgramRun(const UvProgramRun&) = delete;
  UvProgramRun& operator=(const UvProgramRun&) = delete;

 private:
  void start(UvLoop& loop);
  void fail_soon(Error why);
  void on_ended(int exit_code);
  void on_time();

  // Fixed after construction.
  UvProcess::Ending& ending_;
  const ports::ProgramSpec spec_;
  const ports::Programs::Done done_;
  // Changes.
  std::unique_ptr<UvProcess> process_;  // null unless running
  std::unique_ptr<OutputPipe> output_;
  std::unique_ptr<OutputPipe> errors_;
  Error failure_;  // what is told when the timer fires
  std::unique_ptr<ports::Timer> timer_;
};

UvProgramRun::UvProgramRun(UvLoop& loop, ports::Timers& timers, UvProcess::Ending& ending,
                           ports::ProgramSpec spec, ports::Programs::Done done)
    : ending_(ending),
      spec_(std::move(spec)),
      done_(std::move(done)),
      timer_(timers.make([this] { on_time(); })) {
  ending_.sweep();
  start(loop);
}

void UvProgramRun::start(UvLoop& loop) {
  auto path = program_path(spec_.program);
  if (!path) return fail_soon(path.error());
  if (spec_.input.size() > kInputMax) {
    return fail_soon({ErrorKind::refused, "uv", "the input of " + spec_.program + " is too long"});
  }
  Pipes pipes;
  if (!make_pipes(spec_.input, pipes)) {
    return fail_soon(
        {ErrorKind::gone, "uv", "no pipes for " + spec_.program + ": " + std::strerror(errno)});
  }
  SpawnSpec spawn;
  spawn.program = *std::move(path);
  spawn.arguments = spec_.arguments;
  spawn.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  spawn.descriptors = {pipes.input.number(), pipes.output[1].number(), pipes.errors[1].number()};
  auto process = UvProcess::start(loop, spawn, [this](int exit_code) { on_ended(exit_code); });
  if (!process) return fail_soon(process.error());
  process_ = *std::move(process);
  output_ = std::make_unique<OutputPipe>(loop, std::move(pipes.output[0]));
  errors_ = std::make_unique<OutputPipe>(loop, std::move(pipes.errors[0]));
  failure_ = {ErrorKind::busy, "uv",
              spec_.program + " has not ended in time and was killed; is the machine overloaded?"};
  timer_->start(spec_.time_max);
}

void UvProgramRun::fail_soon(Error why) {
  if (why.kind != ErrorKind::unsupported && why.kind != ErrorKind::refused) {
    why.kind = ErrorKind::gone;
  }
  failure_ = std::move(why);
  timer_->start(Duration());
}

// The caller may destroy this in either. What a grandchild may still write is not waited for.
void UvProgramRun::on_ended(int exit_code) {
  timer_->stop();
  process_.reset();
  const ports::Programs::Done tell = done_;
  tell(ports::ProgramEnd{exit_code, output_->take(), errors_->take()});
}

void UvProgramRun::on_time() {
  if (process_) ending_.kill(std::move(process_));
  const ports::Programs::Done tell = done_;
  tell(failure_);
}

}  // namespace

std::unique_ptr<ports::ProgramRun> UvPrograms::run(ports::ProgramSpec spec, Done done) {
  return std::make_unique<UvProgramRun>(loop_, timers_, ending_, std::move(spec), std::move(done));
}

}  // namespace sluice::drivers
