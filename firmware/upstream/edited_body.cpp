#include "firmware/upstream/edited_body.h"

#include "firmware/base/check.h"

namespace sluice::upstream {

EditedBody::EditedBody(std::shared_ptr<const ports::HttpBody> original, std::vector<BodyEdit> edits)
    : original_(std::move(original)) {
  uint64_t done = 0;
  for (BodyEdit& edit : edits) {
    ENSURE(edit.begin >= done && edit.begin + edit.size <= original_->size());
    add_part(edit.begin - done, done, "");
    const uint64_t size = edit.text.size();
    add_part(size, 0, std::move(edit.text));
    done = edit.begin + edit.size;
  }
  add_part(original_->size() - done, done, "");
}

void EditedBody::add_part(uint64_t size, uint64_t original, std::string text) {
  if (size == 0) return;
  parts_.push_back({size_, size, original, std::move(text)});
  size_ += size;
}

Result<std::string_view> EditedBody::at(uint64_t offset, std::string& buffer) const {
  for (const Part& part : parts_) {
    if (offset >= part.begin + part.size) continue;
    const uint64_t into = offset - part.begin;
    if (!part.text.empty()) return std::string_view(part.text).substr(into);
    Result<std::string_view> piece = original_->at(part.original + into, buffer);
    if (!piece) return piece.error();
    return piece->substr(0, part.size - into);
  }
  return std::string_view();
}

}  // namespace sluice::upstream
