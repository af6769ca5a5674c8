#include "drivers/os/scratch_files.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "drivers/os/descriptor.h"

namespace sluice::drivers {

namespace {

class OsScratchFile final : public ports::ScratchFile {
 public:
  OsScratchFile(Descriptor file, const std::string& folder)
      : file_(std::move(file)), folder_(folder) {}

  Result<void> append(std::string_view bytes) override {
    if (!write_all(file_, bytes)) return file_error("write a scratch file in", folder_);
    return {};
  }

  Result<size_t> read(uint64_t offset, std::span<char> into) const override {
    while (true) {
      const ssize_t count =
          ::pread(file_.number(), into.data(), into.size(), static_cast<off_t>(offset));
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EINTR) return file_error("read a scratch file in", folder_);
    }
  }

 private:
  const Descriptor file_;
  const std::string folder_;
};

// O_TMPFILE is not known to every file system (overlayfs before Linux 6.1, some FUSE): then a name
// is taken and given up at once.
Descriptor open_nameless(const std::string& folder) {
  Descriptor file = open_file(folder, O_RDWR | O_TMPFILE | O_EXCL);
  if (file.is_open() || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
  std::string name = folder + "/scratch.XXXXXX";
  Descriptor named(::mkostemp(name.data(), O_CLOEXEC));
  if (named.is_open()) ::unlink(name.c_str());
  return named;
}

}  // namespace

Result<std::unique_ptr<ports::ScratchFile>> OsScratchFiles::make() {
  Descriptor file = open_nameless(folder_);
  if (!file.is_open()) return file_error("make a scratch file in", folder_);
  return std::unique_ptr<ports::ScratchFile>(
      std::make_unique<OsScratchFile>(std::move(file), folder_));
}

}  // namespace sluice::drivers
