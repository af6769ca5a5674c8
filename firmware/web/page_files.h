// The browser's files, built into the program from ui/dist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/embedded.h"

namespace sluice::web {

std::vector<sluice::EmbeddedFile> embedded_page();

struct PageFile {
  std::string_view bytes;
  std::string_view type;  // Content-Type
  std::string etag;       // quoted; from the content, so a new version is a new tag
};

class PageFiles {
 public:
  explicit PageFiles(const std::vector<sluice::EmbeddedFile>& files);

  // By the path of a request: "/" is index.html. Null: no such file.
  const PageFile* find(std::string_view path) const;

 private:
  struct Entry {
    std::string path;
    PageFile file;
  };
  std::vector<Entry> entries_;
};

}  // namespace sluice::web
