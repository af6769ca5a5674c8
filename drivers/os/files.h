// Files of the local file system by POSIX calls. Every descriptor is closed on exec.
//
// A rename survives a power cut only after the folder itself has been synced, so whatever makes,
// renames or removes a name syncs its folder.
#pragma once

#include "firmware/ports/files.h"

namespace sluice::drivers {

class OsFiles final : public ports::Files {
 public:
  Result<std::string> read(const std::string& path, Bytes max) override;
  // Beside the file for a moment: `path`.new. Errors: busy (disk full), refused.
  Result<void> replace(const std::string& path, std::string_view content) override;
  // A failed append leaves the file as it was.
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_folder(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  // flock(2) on a file that is made when needed and stays.
  Result<std::unique_ptr<ports::FileLock>> lock(const std::string& path) override;
  // The lock that another process held when it started this one, and shares since. Takes over
  // `descriptor`. Null: it is not the lock of that file.
  std::unique_ptr<ports::FileLock> inherited_lock(const std::string& path, int descriptor);
};

bool exists(const std::string& path);

}  // namespace sluice::drivers
