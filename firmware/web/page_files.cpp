#include "firmware/web/page_files.h"

#include "firmware/ports/crypto.h"

namespace sluice::web {

namespace {

constexpr size_t kTagLength = 32;  // hexadecimal digits of the hash

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  return "application/octet-stream";
}

}  // namespace

PageFiles::PageFiles(const std::vector<sluice::EmbeddedFile>& files) {
  for (const sluice::EmbeddedFile& file : files) {
    const std::string etag = '"' + ports::sha256_hex(file.bytes).substr(0, kTagLength) + '"';
    entries_.push_back(
        {"/" + std::string(file.name), PageFile{file.bytes, type_of(file.name), etag}});
  }
}

const PageFile* PageFiles::find(std::string_view path) const {
  if (path == "/") path = "/index.html";
  for (const Entry& entry : entries_) {
    if (entry.path == path) return &entry.file;
  }
  return nullptr;
}

}  // namespace sluice::web
