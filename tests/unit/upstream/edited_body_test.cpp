#include "firmware/upstream/edited_body.h"

#include <doctest/doctest.h>

using namespace sluice;
using namespace sluice::upstream;

namespace {

// Gives three bytes at a time, as a disk would give pieces.
class Pieces final : public ports::HttpBody {
 public:
  explicit Pieces(std::string text) : text_(std::move(text)) {}
  uint64_t size() const override { return text_.size(); }
  Result<std::string_view> at(uint64_t offset, std::string& buffer) const override {
    buffer = text_.substr(offset, 3);
    return std::string_view(buffer);
  }

 private:
  std::string text_;
};

std::string edited(const std::string& text, const std::vector<BodyEdit>& edits) {
  const EditedBody whole(std::make_shared<ports::TextBody>(text), edits);
  const EditedBody pieces(std::make_shared<Pieces>(text), edits);
  const std::string read = *ports::read_range(whole, 0, whole.size());
  CHECK(*ports::read_range(pieces, 0, pieces.size()) == read);
  for (uint64_t at = 0; at <= whole.size(); ++at) {
    CHECK(*ports::read_range(pieces, at, whole.size() - at) == read.substr(at));
  }
  return read;
}

}  // namespace

TEST_CASE("edited body: ranges are replaced, inserted or left out, all else is as it was") {
  CHECK(edited("0123456789", {}) == "0123456789");
  CHECK(edited("0123456789", {{2, 3, "two-three-four"}}) == "01two-three-four56789");
  CHECK(edited("0123456789", {{0, 1, "zero"}, {9, 1, "nine"}}) == "zero12345678nine");
  CHECK(edited("0123456789", {{5, 0, "+"}, {10, 0, "end"}}) == "01234+56789end");
  CHECK(edited("0123456789", {{0, 4, ""}, {4, 6, "x"}}) == "x");
  CHECK(edited("", {{0, 0, "all"}}) == "all");
}
