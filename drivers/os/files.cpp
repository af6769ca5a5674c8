#include "drivers/os/files.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "drivers/os/descriptor.h"

namespace sluice::drivers {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0750;
constexpr size_t kReadPiece = 64 * 1024;

class OsAppendFile final : public ports::AppendFile {
 public:
  OsAppendFile(Descriptor file, std::string path, int64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Result<void> append(std::string_view bytes) override;
  Result<void> sync() override;
  Bytes size() const override { return {size_}; }

 private:
  const Descriptor file_;
  const std::string path_;
  int64_t size_;
};

// A part that was written (a full disk) is cut off again, so that no torn line stays.
Result<void> OsAppendFile::append(std::string_view bytes) {
  ssize_t written = 0;
  do {
    written = ::write(file_.number(), bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(bytes.size())) {
    size_ += written;
    return {};
  }
  if (written >= 0) errno = ENOSPC;
  Error error = file_error("append to", path_);
  if (written > 0 && ::ftruncate(file_.number(), size_) != 0) {
    error.kind = ErrorKind::broken;
    error.text += "; a part of the line is left in it";
    size_ += written;
  }
  return error;
}

Result<void> OsAppendFile::sync() {
  if (::fdatasync(file_.number()) != 0) return file_error("sync", path_);
  return {};
}

class OsFileLock final : public ports::FileLock {
 public:
  explicit OsFileLock(Descriptor file) : file_(std::move(file)) {}
  int descriptor() const override { return file_.number(); }

 private:
  const Descriptor file_;  // closing frees the lock
};

bool write_synced(const std::string& path, std::string_view content) {
  const Descriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, kFileMode);
  return file.is_open() && ::fchmod(file.number(), kFileMode) == 0 && write_all(file, content) &&
         ::fsync(file.number()) == 0;
}

bool is_named(const Descriptor& file, const std::string& path) {
  struct stat opened = {};
  struct stat named = {};
  return ::fstat(file.number(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

bool is_folder(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

Result<std::string> OsFiles::read(const std::string& path, Bytes max) {
  const Descriptor file = open_file(path, O_RDONLY);
  if (!file.is_open()) return file_error("open", path);
  std::string content;
  std::array<char, kReadPiece> piece;
  while (true) {
    const ssize_t count = ::read(file.number(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("read", path);
    if (count == 0) return content;
    content.append(piece.data(), static_cast<size_t>(count));
    if (static_cast<int64_t>(content.size()) > max.count) {
      return Error{ErrorKind::refused, "os",
                   path + " is larger than the " + std::to_string(max.count) + " bytes allowed"};
    }
  }
}

Result<void> OsFiles::replace(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  if (!write_synced(beside, content) || std::rename(beside.c_str(), path.c_str()) != 0) {
    Error error = file_error("write", path);
    ::unlink(beside.c_str());
    return error;
  }
  if (!sync_folder_of(path)) return file_error("sync the folder of", path);
  return {};
}

Result<std::unique_ptr<ports::AppendFile>> OsFiles::open_append(const std::string& path) {
  Descriptor file = open_file(path, O_WRONLY | O_APPEND | O_CREAT, kFileMode);
  if (!file.is_open()) return file_error("open", path);
  struct stat status = {};
  if (::fstat(file.number(), &status) != 0) return file_error("open", path);
  if (status.st_size == 0 && !sync_folder_of(path)) return file_error("sync the folder of", path);
  return std::unique_ptr<ports::AppendFile>(
      std::make_unique<OsAppendFile>(std::move(file), path, status.st_size));
}

Result<void> OsFiles::rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return file_error("rename", from);
  if (!sync_folder_of(to) || !sync_folder_of(from)) return file_error("sync the folder of", to);
  return {};
}

Result<void> OsFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return file_error("remove", path);
  }
  if (!sync_folder_of(path)) return file_error("sync the folder of", path);
  return {};
}

Result<void> OsFiles::make_folder(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kFolderMode) == 0) {
      if (!sync_folder_of(part)) return file_error("sync the folder of", part);
    } else if (!is_folder(part)) {
      return file_error("make the folder", part);
    }
    if (end == std::string::npos) return {};
  }
}

Result<std::vector<std::string>> OsFiles::list(const std::string& folder) {
  DIR* opened = ::opendir(folder.c_str());
  if (opened == nullptr) return file_error("list", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const int code = errno;
  ::closedir(opened);
  errno = code;
  if (code != 0) return file_error("list", folder);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::unique_ptr<ports::FileLock>> OsFiles::lock(const std::string& path) {
  Descriptor file;
  do {  // whoever removes a lock file holds it: what was opened before then is no longer the lock
    file = open_file(path, O_RDWR | O_CREAT, kFileMode);
    if (!file.is_open()) return file_error("open", path);
    if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return file_error("lock", path);
      return Error{
          ErrorKind::busy, "os",
          path + " is locked by another process, which uses the same files; stop it first"};
    }
  } while (!is_named(file, path));
  return std::unique_ptr<ports::FileLock>(std::make_unique<OsFileLock>(std::move(file)));
}

std::unique_ptr<ports::FileLock> OsFiles::inherited_lock(const std::string& path, int descriptor) {
  Descriptor file(descriptor);
  if (!is_named(file, path) || ::flock(file.number(), LOCK_EX | LOCK_NB) != 0) return nullptr;
  return std::make_unique<OsFileLock>(std::move(file));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace sluice::drivers
