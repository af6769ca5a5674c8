#include "firmware/ports/http_body.h"

#include "firmware/base/check.h"

namespace sluice::ports {

Result<void> append_range(const HttpBody& body, uint64_t begin, size_t size, std::string& out) {
  ENSURE(begin + size <= body.size());
  std::string buffer;
  for (size_t done = 0; done < size;) {
    const Result<std::string_view> piece = body.at(begin + done, buffer);
    if (!piece) return piece.error();
    ENSURE(!piece->empty());
    const std::string_view part = piece->substr(0, size - done);
    out.append(part);
    done += part.size();
  }
  return {};
}

Result<std::string> read_range(const HttpBody& body, uint64_t begin, size_t size) {
  std::string text;
  if (Result<void> read = append_range(body, begin, size, text); !read) return read.error();
  return text;
}

}  // namespace sluice::ports
