// The lines that libcurl hands over, as one HttpResponseHead. Informational answers (1xx) and
// trailers are passed over.
#pragma once

#include <string>
#include <string_view>

#include "firmware/ports/http_message.h"

namespace sluice::drivers {

inline constexpr size_t kAnswerHeadBytesMax = 64 * 1024;
inline constexpr size_t kAnswerFieldsMax = 128;

class AnswerHead {
 public:
  // One line with its line end; false: the head breaks a rule, why() says which.
  bool take_line(std::string_view line);
  bool is_complete() const { return state_ == State::complete; }
  const ports::HttpResponseHead& head() const { return head_; }
  std::string_view why() const { return why_; }

 private:
  enum class State { before, fields, complete };

  bool fail(std::string_view why);
  bool take_status(std::string_view line);
  bool take_field(std::string_view line);
  bool finish();

  State state_ = State::before;
  size_t bytes_ = 0;
  ports::HttpResponseHead head_;
  std::string_view why_;
};

}  // namespace sluice::drivers
