// Files: small and local only (settings, keys, journals). Thread: loop; read() on any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/units.h"

namespace sluice::ports {

class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // One write(2): all of `bytes` or an error. Survives the end of the process, not a power cut.
  virtual Result<void> append(std::string_view bytes) = 0;
  virtual Result<void> sync() = 0;  // and then a power cut too
  virtual Bytes size() const = 0;
};

class FileLock {  // held until destroyed; also freed when the process ends
 public:
  virtual ~FileLock() = default;
  // For a successor to inherit: then both hold it, and it is free when both have let go. Negative:
  // it cannot be inherited.
  virtual int descriptor() const { return -1; }
};

class Files {
 public:
  virtual ~Files() = default;
  // Errors: gone (no such file), refused (larger than `max`, no permission), broken (read error).
  virtual Result<std::string> read(const std::string& path, Bytes max) = 0;
  // Mode 0600. Written beside, synced and renamed: after a power cut the old or the new content.
  virtual Result<void> replace(const std::string& path, std::string_view content) = 0;
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;  // 0600
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;       // no error if it is not there
  virtual Result<void> make_folder(const std::string& path) = 0;  // and its parents, mode 0750
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;  // names, sorted
  // Makes the file when needed. Errors: busy if it is held. Only who holds it may remove the file.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

}  // namespace sluice::ports
