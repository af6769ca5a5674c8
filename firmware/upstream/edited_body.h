// A body with a few ranges of it replaced, every other byte as it is, wherever it is kept.
// The bytes are not copied: pieces come from the original or from the replacements.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "firmware/ports/http_body.h"

namespace sluice::upstream {

struct BodyEdit {
  uint64_t begin = 0;  // offset in the original
  uint64_t size = 0;   // bytes replaced; zero inserts
  std::string text;
};

class EditedBody final : public ports::HttpBody {
 public:
  // `edits`: in the order of their offsets, not overlapping, inside the original.
  EditedBody(std::shared_ptr<const ports::HttpBody> original, std::vector<BodyEdit> edits);

  uint64_t size() const override { return size_; }
  Result<std::string_view> at(uint64_t offset, std::string& buffer) const override;

 private:
  struct Part {
    uint64_t begin = 0;     // offset in the edited body
    uint64_t size = 0;      // never zero
    uint64_t original = 0;  // offset in the original, where `text` is empty
    std::string text;
  };
  void add_part(uint64_t size, uint64_t original, std::string text);

  const std::shared_ptr<const ports::HttpBody> original_;
  std::vector<Part> parts_;  // a handful
  uint64_t size_ = 0;
};

}  // namespace sluice::upstream
