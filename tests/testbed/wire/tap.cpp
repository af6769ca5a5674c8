#include "tests/testbed/wire/tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::testbed {

namespace {

std::string why(const std::string& what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

std::string path_of(const std::string& space) {
  return space.front() == '/' ? space : "/var/run/netns/" + space;
}

}  // namespace

Tap::~Tap() {
  if (fd_ >= 0) ::close(fd_);
}

// A TAP device belongs to the namespace in which /dev/net/tun was opened.
std::optional<std::string> Tap::open(const std::string& place) {
  const std::size_t at = place.find('@');
  name_ = place.substr(0, at);
  if (name_.empty() || name_.size() >= IFNAMSIZ) {
    return fmt::format("{} is not an interface and a namespace, such as wan1@box", place);
  }
  if (at == std::string::npos) return make();
  if (at + 1 == place.size()) return fmt::format("{}: no namespace after @", place);
  const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const std::string path = path_of(place.substr(at + 1));
  const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::optional<std::string> error;
  if (home < 0 || space < 0) {
    error = why(path);
  } else if (::setns(space, CLONE_NEWNET) != 0) {
    error = why("entering " + path);
  } else {
    error = make();
    if (::setns(home, CLONE_NEWNET) != 0) error = why("coming back from " + path);
  }
  if (space >= 0) ::close(space);
  if (home >= 0) ::close(home);
  return error;
}

std::optional<std::string> Tap::make() {
  fd_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) return why("/dev/net/tun");
  ifreq request{};
  name_.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(fd_, TUNSETIFF, &request) != 0) return why("making the interface " + name_);
  return std::nullopt;
}

std::optional<std::string> Tap::read() {
  std::array<char, kFrameMax> buffer;
  const ssize_t size = ::read(fd_, buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

void Tap::write(std::string_view frame) {
  [[maybe_unused]] const ssize_t size = ::write(fd_, frame.data(), frame.size());
}

std::optional<std::string> Tap::set_carrier(bool on) {
  int value = on ? 1 : 0;
  if (::ioctl(fd_, TUNSETCARRIER, &value) != 0) return why("carrier of " + name_);
  return std::nullopt;
}

}  // namespace sluice::testbed
