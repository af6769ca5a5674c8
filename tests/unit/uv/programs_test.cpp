#include "drivers/uv/programs.h"

#include <fcntl.h>
#include <signal.h>

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

struct Shell : World {
  UvPrograms programs{loop, timers};
  std::optional<Result<ports::ProgramEnd>> end;
  std::unique_ptr<ports::ProgramRun> running;
  void begin(ports::ProgramSpec spec) {
    end.reset();
    running = programs.run(std::move(spec), [this](Result<ports::ProgramEnd> told) {
      end = std::move(told);
      running.reset();
      stop();
    });
    CHECK_FALSE(end.has_value());
  }
  ports::ProgramEnd run_shell(const std::string& command, const std::string& input = "") {
    begin({"sh", {"-c", command}, input, Duration::seconds(10)});
    run();
    REQUIRE(end.has_value());
    REQUIRE(*end);
    return end->value();
  }
};

}  // namespace

TEST_CASE("programs: input goes in, both outputs and the exit code come out") {
  Shell shell;
  const auto end = shell.run_shell("cat; echo trouble >&2; exit 3", "some text\n");
  CHECK(end.exit_code == 3);
  CHECK(end.output == "some text\n");
  CHECK(end.errors == "trouble\n");
  CHECK(shell.run_shell("kill -9 $$").exit_code == 128 + 9);
}

TEST_CASE("programs: input that nobody reads, and output beyond the bound, hold nothing up") {
  Shell shell;
  CHECK(shell.run_shell("exit 0", std::string(500000, 'x')).exit_code == 0);
  const auto end = shell.run_shell("head -c 1000000 /dev/zero | tr '\\0' y; echo end >&2");
  CHECK(end.exit_code == 0);
  CHECK(end.output == std::string(ports::kProgramOutputMax, 'y'));
  CHECK(end.errors == "end\n");
}

TEST_CASE("programs: nothing of ours is inherited") {
  Shell shell;
  // Without O_CLOEXEC, as a careless library would have it.
  const HeldDescriptor careless(::open("/dev/null", O_RDONLY));
  ::setenv("SLUICE_TEST_SECRET", "1", 1);
  const auto open = shell.run_shell("ls /proc/$$/fd");
  ::unsetenv("SLUICE_TEST_SECRET");
  CHECK(open.output == "0\n1\n2\n");
  const auto environment = shell.run_shell("tr '\\0' '\\n' </proc/$$/environ | sort");
  CHECK(environment.output == "LC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
  // SIGPIPE, bit 12 of the ignored ones, is not ignored as in the daemon.
  const auto ignored = shell.run_shell("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/$$/status");
  CHECK((std::stoull(ignored.output, nullptr, 16) & (1U << (SIGPIPE - 1))) == 0);
}

TEST_CASE(
    "programs: one that takes too long is killed, and what it started with it is not waited for") {
  Shell shell;
  shell.begin({"sleep", {"60"}, "", Duration::ms(30)});
  shell.run();
  REQUIRE(shell.end.has_value());
  REQUIRE_FALSE(*shell.end);
  CHECK(shell.end->error().kind == ErrorKind::busy);
  const auto end = shell.run_shell("sleep 2 & echo started");  // it holds the pipe open
  CHECK(end.output == "started\n");
}

TEST_CASE("programs: one that is not installed is unsupported") {
  Shell shell;
  shell.begin({"sluice-no-such-program", {}, "", Duration::seconds(1)});
  shell.run();
  REQUIRE(shell.end.has_value());
  REQUIRE_FALSE(*shell.end);
  CHECK(shell.end->error().kind == ErrorKind::unsupported);
}

TEST_CASE("programs: giving up kills it, and leaves no corpse") {
  Shell shell;
  shell.begin({"sh", {"-c", "echo $$ >/dev/null; sleep 60"}, "", Duration::seconds(60)});
  shell.running.reset();
  shell.settle();
  CHECK_FALSE(shell.end.has_value());
  // The next run sweeps; it is then the only child there is.
  const auto end = shell.run_shell("ps -o stat= --ppid $PPID 2>/dev/null | grep -c Z; true");
  CHECK(end.output.substr(0, 1) == "0");
}

TEST_CASE("process: a child's descriptor can be shared, its end is seen once, and by its handle") {
  World world;
  const HeldDescriptor zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const HeldDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SpawnSpec spec;
  spec.program = *program_path("sleep");
  spec.arguments = {"60"};
  spec.descriptors = {null.number(), null.number(), null.number(), zero.number()};
  int ends = 0;
  int exit_code = 0;
  auto started = UvProcess::start(world.loop, spec, [&](int code) {
    ++ends;
    exit_code = code;
    world.stop();
  });
  REQUIRE(started);
  const std::unique_ptr<UvProcess> process = *std::move(started);
  CHECK_FALSE(process->has_ended());
  auto shared = process->descriptor(3);
  if (shared) {
    char byte = 'x';
    CHECK(::read(shared->number(), &byte, 1) == 1);
    CHECK(byte == 0);
  } else {
    MESSAGE("skipped: descriptors cannot be shared here: " << shared.error().text);
  }
  CHECK_FALSE(process->descriptor(9));
  process->send(SIGTERM);
  world.run();
  CHECK(ends == 1);
  CHECK(exit_code == 128 + SIGTERM);
  CHECK(process->has_ended());
  CHECK_FALSE(UvProcess::watch(world.loop, process->pid(), [](int) {}));  // reaped
}
