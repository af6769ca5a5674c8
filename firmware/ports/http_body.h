// The body of a request that is sent: bytes that can be read as often as attempts need them,
// wherever they are kept.
// Thread: loop. Lifetime: shared by the attempts of one exchange; it does not change while a call
// holds it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "firmware/base/result.h"

namespace sluice::ports {

class HttpBody {
 public:
  // What is read from a disk comes in pieces of this size at most.
  static constexpr size_t kPieceMax = 256 * 1024;

  virtual ~HttpBody() = default;
  virtual uint64_t size() const = 0;
  // The bytes from `offset` (at most size()) on: at least one, unless it is the end. Of a body in
  // memory all of them; others use `buffer`. Valid until `buffer` or the body changes.
  // Errors: broken (it cannot be read back).
  virtual Result<std::string_view> at(uint64_t offset, std::string& buffer) const = 0;
};

class TextBody final : public HttpBody {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  uint64_t size() const override { return text_.size(); }
  Result<std::string_view> at(uint64_t offset, std::string&) const override {
    return std::string_view(text_).substr(offset);
  }

 private:
  const std::string text_;
};

// Bytes [begin, begin + size). Errors: as at().
Result<void> append_range(const HttpBody& body, uint64_t begin, size_t size, std::string& out);
Result<std::string> read_range(const HttpBody& body, uint64_t begin, size_t size);

}  // namespace sluice::ports
