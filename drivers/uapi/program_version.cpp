#include "drivers/uapi/program_version.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace sluice::drivers {

namespace {

constexpr int kPrefix = 4;  // struct tun_pi
constexpr size_t kDateDigits = 8;
constexpr std::string_view kFirstWithout = "20230000";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

int packet_prefix_of(std::string_view text) {
  for (auto at = text.begin(); at != text.end();) {
    at = std::find_if(at, text.end(), is_digit);
    const auto end = std::find_if_not(at, text.end(), is_digit);
    const std::string_view number(at, end);
    if (number.size() == kDateDigits) return number < kFirstWithout ? kPrefix : 0;
    at = end;
  }
  return 0;
}

std::string version_of(UvLoop& loop, const std::string& program, UvProcess::Ending& ending) {
  ending.sweep();
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  const HeldDescriptor from(ends[0]);
  HeldDescriptor to(ends[1]);
  const HeldDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SpawnSpec spec;
  spec.program = program;
  spec.arguments = {"--version"};
  spec.descriptors = {nothing.number(), to.number(), nothing.number()};
  auto started = UvProcess::start(loop, spec, [](int) {});
  to = HeldDescriptor();
  if (!started) return "";
  std::array<char, 512> bytes;
  pollfd readable = {from.number(), POLLIN, 0};
  ssize_t size = 0;
  if (::poll(&readable, 1, static_cast<int>(kVersionTimeMax.as_ms())) == 1) {
    size = ::read(from.number(), bytes.data(), bytes.size());
  }
  ending.kill(*std::move(started));
  return std::string(bytes.data(), static_cast<size_t>(std::max<ssize_t>(size, 0)));
}

}  // namespace sluice::drivers
