#include "drivers/os/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string_view>
#include <system_error>

namespace sluice::drivers {

Result<int64_t> raise_descriptor_limit() {
  rlimit limit = {};
  int code = ::getrlimit(RLIMIT_NOFILE, &limit);
  if (code == 0 && limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    code = ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (code != 0) {
    return Error{ErrorKind::refused, "os",
                 "cannot raise the limit of open files: " + std::generic_category().message(errno)};
  }
  const auto most = static_cast<rlim_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(std::min(limit.rlim_cur, most));
}

std::optional<int64_t> open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  int64_t count = -1;  // the folder's own descriptor
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(folder);
  return count;
}

// The second number of /proc/self/statm is the resident set in pages, see proc(5).
std::optional<Bytes> resident_memory() {
  const int descriptor = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  std::array<char, 128> buffer = {};
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  ::close(descriptor);
  if (count <= 0) return std::nullopt;
  const std::string_view line(buffer.data(), static_cast<size_t>(count));
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  int64_t pages = 0;
  const auto read = std::from_chars(line.data() + space + 1, line.data() + line.size(), pages);
  if (read.ec != std::errc()) return std::nullopt;
  return Bytes{pages * ::sysconf(_SC_PAGESIZE)};
}

}  // namespace sluice::drivers
