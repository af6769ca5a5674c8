// Files as a map, for tests that need two of them.
#pragma once

#include <map>
#include <string>

#include "firmware/ports/files.h"

namespace sluice {

class FilesInMemory final : public ports::Files {
 public:
  std::map<std::string, std::string> content;

  Result<std::string> read(const std::string& path, Bytes /*max*/) override {
    if (content.count(path) == 0) return Error{ErrorKind::gone, path, "no such file"};
    return content[path];
  }
  Result<void> replace(const std::string& path, std::string_view text) override {
    content[path] = std::string(text);
    return {};
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    content[to] = content[from];
    content.erase(from);
    return {};
  }
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override {
    return Error{ErrorKind::unsupported, path, "not in memory"};
  }
  Result<void> remove(const std::string& path) override {
    content.erase(path);
    return {};
  }
  Result<void> make_folder(const std::string& /*path*/) override { return {}; }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return Error{ErrorKind::unsupported, folder, "not in memory"};
  }
  Result<std::unique_ptr<ports::FileLock>> lock(const std::string& path) override {
    return Error{ErrorKind::unsupported, path, "not in memory"};
  }
};

}  // namespace sluice
