#include "drivers/uapi/plane_record.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "drivers/uv/held_descriptor.h"

namespace sluice::drivers {

namespace {

constexpr int kFieldsToStart =
    19;  // behind the name: state is the third of proc(5), start the 22nd

std::optional<std::string> text_of(const std::string& path) {
  const HeldDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::array<char, 4096> bytes;
  const ssize_t size = file.is_open() ? ::read(file.number(), bytes.data(), bytes.size()) : -1;
  if (size < 0) return std::nullopt;
  return std::string(bytes.data(), static_cast<size_t>(size));
}

template <class Number>
bool take_number(std::string_view& text, Number& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

std::optional<PlaneRecord> parse_plane_record(std::string_view text) {
  PlaneRecord out;
  if (!take_number(text, out.pid) || out.pid < 0 || !text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, out.start) || !text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, out.packet_prefix) || text != "\n") return std::nullopt;
  return out;
}

std::optional<PlaneRecord> read_plane_record(const std::string& path) {
  const auto text = text_of(path);
  return text ? parse_plane_record(*text) : std::nullopt;
}

Result<void> write_plane_record(const std::string& path, const PlaneRecord& record) {
  const std::string text = std::to_string(record.pid) + " " + std::to_string(record.start) + " " +
                           std::to_string(record.packet_prefix) + "\n";
  const std::string next = path + ".new";
  ::unlink(next.c_str());
  const HeldDescriptor file(
      ::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.is_open() &&
      ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      std::rename(next.c_str(), path.c_str()) == 0) {
    return {};
  }
  return Error{ErrorKind::refused, "uapi", "cannot write " + path + ": " + std::strerror(errno)};
}

// The name is in parentheses, and may have any characters, these too.
std::optional<ProcessIdentity> parse_process_stat(std::string_view stat) {
  const size_t open = stat.find('(');
  const size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  ProcessIdentity out;
  out.name = stat.substr(open + 1, close - open - 1);
  std::string_view rest = stat.substr(close + 1);
  for (int field = 0; field <= kFieldsToStart; ++field) {
    const size_t space = rest.find(' ');
    if (space == std::string_view::npos) return {};
    rest.remove_prefix(space + 1);
  }
  if (!take_number(rest, out.start)) return {};
  return out;
}

std::optional<ProcessIdentity> identity_of(pid_t pid) {
  const auto stat = text_of("/proc/" + std::to_string(pid) + "/stat");
  return stat ? parse_process_stat(*stat) : std::nullopt;
}

}  // namespace sluice::drivers
