#include "drivers/uapi/program_version.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sluice::drivers {

namespace {

constexpr int kPrefix = 4;  // struct tun_pi
constexpr size_t kDateDigits = 8;
constexpr std::string_view kFirstWithout = "20230000";
constexpr std::string_view kName = "wireguard-go ";
constexpr size_t kAnswerMax = 512;
constexpr Duration kSlice = Duration::ms(10);

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A line, or all that comes. An interrupted wait counts as one that was waited to its end.
std::string read_line(int descriptor) {
  std::string text;
  std::array<char, kAnswerMax> bytes;
  for (int64_t left = kVersionTimeMax.as_us() / kSlice.as_us(); left > 0;) {
    pollfd readable = {descriptor, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(kSlice.as_ms())) != 1) {
      --left;
      continue;
    }
    const ssize_t size = ::read(descriptor, bytes.data(), bytes.size() - text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(bytes.data(), static_cast<size_t>(size));
    if (text.find('\n') != std::string::npos || text.size() == bytes.size()) break;
  }
  return text;
}

}  // namespace

std::optional<int> packet_prefix_of(std::string_view text) {
  const size_t name = text.find(kName);
  const size_t end_of_line = text.find('\n');
  if (name == std::string_view::npos || end_of_line == std::string_view::npos) return std::nullopt;
  if (end_of_line <= name + kName.size()) return std::nullopt;
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), is_digit);
    const auto end = std::find_if_not(at, text.end(), is_digit);
    const std::string_view number(at, end);
    if (number.size() == kDateDigits) return number < kFirstWithout ? kPrefix : 0;
    at = end;
  }
  return 0;
}

Result<int> ProgramVersion::packet_prefix(const std::string& program) {
  struct stat found = {};
  if (::stat(program.c_str(), &found) != 0) {
    return Error{ErrorKind::unsupported, "uapi", program + " is not there any more"};
  }
  const File file{found.st_dev, found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec,
                  found.st_size};
  if (known_ == file) return prefix_;
  const Error silent{ErrorKind::busy, "uapi",
                     program +
                         " does not say in time which version it is; is the machine "
                         "overloaded? It is asked again"};
  const Instant now = clock_.now();
  if (silent_at_ && now < *silent_at_ + kVersionRest) return silent;
  const std::string text = ask(program);
  const std::optional<int> prefix = packet_prefix_of(text);
  if (text.find('\n') == std::string::npos) {
    silent_at_ = now;
    return silent;
  }
  if (!prefix) {
    return Error{ErrorKind::unsupported, "uapi",
                 program +
                     " is not wireguard-go, by what it says with --version; install the "
                     "package wireguard-go"};
  }
  known_ = file;
  prefix_ = *prefix;
  return prefix_;
}

std::string ProgramVersion::ask(const std::string& program) {
  ending_.sweep();
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  const HeldDescriptor from(ends[0]);
  HeldDescriptor to(ends[1]);
  const HeldDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SpawnSpec spec;
  spec.program = program;
  spec.arguments = {"--version"};
  spec.descriptors = {nothing.number(), to.number(), nothing.number()};
  auto started = UvProcess::start(loop_, spec, [](int) {});
  to = HeldDescriptor();
  if (!started) return "";
  std::string text = read_line(from.number());
  ending_.kill(*std::move(started));
  return text;
}

}  // namespace sluice::drivers
