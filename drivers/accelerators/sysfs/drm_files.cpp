#include "drivers/accelerators/sysfs/drm_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

namespace sluice::drivers {

namespace {

// The names in a folder, without those that begin with a point. `error` is of errno, or 0.
struct Names {
  std::vector<std::string> names;
  int error = 0;
  bool more = false;  // than `most`
};

Names names_in(const std::string& path, size_t most) {
  Names found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) {
    found.error = errno;
    return found;
  }
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name.front() == '.') continue;
    if (found.names.size() == most) {
      found.more = true;
      break;
    }
    found.names.emplace_back(name);
  }
  return found;
}

CardFile read_small(const std::string& path, size_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {"", errno};
  std::string text(most, '\0');
  size_t size = 0;
  ssize_t got = 0;
  do {
    got = ::read(file, text.data() + size, most - size);
    if (got > 0) size += static_cast<size_t>(got);
  } while ((got > 0 && size < most) || (got < 0 && errno == EINTR));
  const int error = got < 0 ? errno : 0;
  ::close(file);
  text.resize(error == 0 ? size : 0);
  return {std::move(text), error};
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_card(std::string_view name) {
  return name.substr(0, 4) == "card" && is_number(name.substr(4));
}

bool is_graphics_device(const std::string& link) {
  std::array<char, 64> target{};
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length <= 0) return false;
  return std::string_view(target.data(), static_cast<size_t>(length)).substr(0, 9) == "/dev/dri/";
}

CardFiles files_of(const std::string& device) {
  CardFiles files;
  for (const char* name : kCardFileNames) {
    files[name] = read_small(fmt::format("{}/{}", device, name), kCardFileBytesMax);
  }
  const Names hwmons = names_in(device + "/hwmon", 1);
  if (hwmons.names.empty()) return files;
  for (const char* name : kHwmonFileNames) {
    files[fmt::format("hwmon/{}", name)] = read_small(
        fmt::format("{}/hwmon/{}/{}", device, hwmons.names.front(), name), kCardFileBytesMax);
  }
  return files;
}

class UserScan {
 public:
  explicit UserScan(const std::string& root) : proc_(root + "/proc/") {}

  DrmUsers all() {
    const Names processes = names_in(proc_, kProcessesMax);
    if (processes.error != 0) incomplete("the list of processes cannot be read");
    if (processes.more) incomplete("there are too many processes");
    return among(processes.names);
  }

  DrmUsers among(const std::vector<std::string>& processes) {
    for (const std::string& process : processes) {
      if (is_number(process)) look_at(process);
    }
    return std::move(users_);
  }

 private:
  void incomplete(const char* why) {
    if (users_.why_incomplete.empty()) users_.why_incomplete = why;
  }

  void look_at(const std::string& process) {
    const Names files = names_in(proc_ + process + "/fd", kOpenFilesMax - files_seen_);
    if (files.error == EACCES || files.error == EPERM) {
      incomplete("other users' processes may not be looked at; give the service CAP_SYS_PTRACE");
    }
    files_seen_ += files.names.size();
    if (files.more) incomplete("there are too many open files");
    bool uses = false;
    for (const std::string& file : files.names) {
      if (!is_graphics_device(proc_ + process + "/fd/" + file)) continue;
      uses = true;
      take(process, file);
    }
    if (uses) users_.processes.push_back(process);
  }

  void take(const std::string& process, const std::string& file) {
    if (++fdinfos_ > kFdinfosMax) return incomplete("there are too many users");
    const CardFile info = read_small(proc_ + process + "/fdinfo/" + file, kFdinfoBytesMax);
    std::optional<DrmClient> client = parse_fdinfo(info.text);
    if (!client) return;
    std::pair key(client->device, client->id);
    users_.clients.emplace(std::move(key), std::move(*client));
  }

  const std::string proc_;
  DrmUsers users_;
  size_t files_seen_ = 0;
  size_t fdinfos_ = 0;
};

}  // namespace

std::vector<std::pair<Card, CardFiles>> read_cards(const std::string& root) {
  std::vector<std::pair<Card, CardFiles>> cards;
  const std::string folder = root + "/sys/class/drm/";
  std::vector<std::string> names = names_in(folder, 16 * kCardsMax).names;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!is_card(name) || cards.size() == kCardsMax) continue;
    const std::string device = folder + name + "/device";
    const CardFile uevent = read_small(device + "/uevent", kCardFileBytesMax);
    std::optional<Card> card = parse_uevent(uevent.text);
    if (card) cards.emplace_back(std::move(*card), files_of(device));
  }
  return cards;
}

DrmUsers read_users(const std::string& root) { return UserScan(root).all(); }

DrmUsers read_users_among(const std::string& root, const std::vector<std::string>& processes) {
  return UserScan(root).among(processes);
}

}  // namespace sluice::drivers
