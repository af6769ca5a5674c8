#include "firmware/upstream/multipart_scan.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::upstream {

namespace {

// What may stand behind the last boundary, or a beginning of it: form-data-encoder, which openai 4
// sends files with, ends a form with an empty line.
constexpr std::string_view kTail = "\r\n\r\n";

}  // namespace

MultipartScan::MultipartScan(std::string_view boundary, std::vector<std::string> wanted)
    : delimiter_("\r\n--" + std::string(boundary)), wanted_(std::move(wanted)) {}

void MultipartScan::feed(std::string_view bytes) {
  for (size_t at = 0; at < bytes.size() && !fault_;) {
    if (at_ == At::content) {
      at = take_content(bytes, at);
      continue;
    }
    const char c = bytes[at++];
    switch (at_) {
      case At::boundary:
        take_boundary(c);
        break;
      case At::line_end:
      case At::line_feed:
      case At::dash:
        take_line_end(c);
        break;
      case At::head:
        take_head(c);
        break;
      case At::over:
        take_over(c);
        break;
      case At::content:
        break;
    }
    ++here_;
  }
}

// Up to the next CR: only there a delimiter can begin.
size_t MultipartScan::take_content(std::string_view bytes, size_t at) {
  const size_t end = std::min(bytes.find('\r', at), bytes.size());
  keep(bytes.substr(at, end - at));
  here_ += end - at;
  if (end < bytes.size()) {
    ++here_;
    at_ = At::boundary;
    matched_ = 1;
    return end + 1;
  }
  return end;
}

void MultipartScan::take_boundary(char c) {
  if (c == delimiter_[matched_]) {
    if (++matched_ == delimiter_.size()) at_ = At::line_end;
    return;
  }
  if (parts_.empty()) return refuse("the body does not begin with its boundary");
  // It was content; a delimiter has a CR nowhere but in front, so none can begin within it.
  keep(std::string_view(delimiter_).substr(0, matched_));
  matched_ = c == '\r' ? 1 : 0;
  if (matched_ == 1) return;
  keep({&c, 1});
  at_ = At::content;
}

void MultipartScan::take_line_end(char c) {
  if (at_ == At::line_feed) {
    if (c != '\n') return refuse("a boundary's line does not end with CRLF");
    return begin_part();
  }
  if (at_ == At::dash) {
    if (c != '-') return refuse("a boundary is not a line of its own");
    at_ = At::over;
    return;
  }
  if (c == '\r') {
    at_ = At::line_feed;
  } else if (c == '-') {
    at_ = At::dash;
  } else if (c != ' ' && c != '\t') {
    refuse("a boundary is not a line of its own");
  }
}

void MultipartScan::begin_part() {
  if (parts_.size() >= kPartsMax) {
    return refuse(fmt::format("the body has more than {} parts", kPartsMax));
  }
  head_.clear();
  at_ = At::head;
}

void MultipartScan::take_head(char c) {
  head_ += c;
  if (head_.size() > kHeadMax) {
    return refuse(fmt::format("a part's head is longer than {} bytes", kHeadMax));
  }
  const bool at_once = head_ == "\r\n";
  if (!at_once && !head_.ends_with("\r\n\r\n")) return;
  Result<MultipartPart> part = read_part_head(std::string_view(head_).substr(0, head_.size() - 2));
  if (!part) return refuse(part.error().text);
  part->begin = here_ + 1;
  part->is_kept = std::find(wanted_.begin(), wanted_.end(), part->name) != wanted_.end();
  parts_.push_back(std::move(*part));
  at_ = At::content;
  matched_ = 0;
}

void MultipartScan::take_over(char c) {
  tail_ += c;
  if (!kTail.starts_with(tail_)) {
    refuse("something stands behind the last boundary");
  }
}

void MultipartScan::keep(std::string_view bytes) {
  if (bytes.empty()) return;
  MultipartPart& part = parts_.back();
  part.size += bytes.size();
  if (!part.is_kept) return;
  if (part.size > kValueMax) {
    here_ = part.begin + kValueMax;
    return refuse(fmt::format("\"{}\" is longer than {} bytes", part.name, kValueMax));
  }
  part.value += bytes;
}

Result<void> MultipartScan::finish() {
  if (!fault_ && at_ != At::over) refuse("the body ends before its last boundary");
  if (!fault_ && tail_.ends_with('\r')) refuse("the body ends within a line's end");
  if (fault_) return *fault_;
  return {};
}

void MultipartScan::refuse(std::string_view what) {
  if (fault_) return;
  fault_ = Error{ErrorKind::refused, "body",
                 fmt::format("the form cannot be read at byte {}: {}", here_, what)};
}

}  // namespace sluice::upstream
