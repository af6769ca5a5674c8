#include "firmware/proxy/kept_body.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::proxy {

namespace {
constexpr uint64_t kReserveMax = 64 * 1024;  // on a client's word alone
constexpr Duration kRetryAfter = Duration::seconds(5);
}  // namespace

KeptBody::KeptBody(BodyRoom& room, ports::ScratchFiles& files, std::string key)
    : room_(room), files_(files), key_(std::move(key)) {}

KeptBody::~KeptBody() {
  room_.give_back_memory(text_.size());
  room_.give_back(key_, size_);
}

void KeptBody::expect(uint64_t size) {
  text_.reserve(static_cast<size_t>(std::min<uint64_t>(size, kReserveMax)));
}

std::optional<KeptBody::Refusal> KeptBody::append(std::string_view bytes) {
  const BodyBounds& bounds = room_.bounds();
  if (size_ + bytes.size() > static_cast<uint64_t>(bounds.body_max.count)) {
    return Refusal::body_too_large;
  }
  switch (room_.take(key_, bytes.size())) {
    case BodyRoom::Answer::granted:
      break;
    case BodyRoom::Answer::key_is_full:
      return Refusal::key_is_full;
    case BodyRoom::Answer::all_is_full:
      return Refusal::box_is_full;
  }
  size_ += bytes.size();
  if (file_ != nullptr) return append_to_file(bytes);
  const bool small = size_ <= static_cast<uint64_t>(bounds.memory_per_body_max.count);
  if (small && room_.take_memory(bytes.size())) {
    text_.append(bytes);
    return std::nullopt;
  }
  if (const auto refusal = move_to_file()) return refusal;
  return append_to_file(bytes);
}

std::optional<KeptBody::Refusal> KeptBody::move_to_file() {
  Result<std::unique_ptr<ports::ScratchFile>> made = files_.make();
  if (!made) {
    return made.error().kind == ErrorKind::busy ? Refusal::box_is_full : Refusal::disk_failed;
  }
  file_ = std::move(*made);
  room_.give_back_memory(text_.size());
  const std::string text = std::move(text_);
  text_ = std::string();
  return append_to_file(text);
}

std::optional<KeptBody::Refusal> KeptBody::append_to_file(std::string_view bytes) {
  if (gathered_.size() + bytes.size() < kGatherMax) {
    gathered_.append(bytes);
    return std::nullopt;
  }
  for (const std::string_view part : {std::string_view(gathered_), bytes}) {
    if (part.empty()) continue;
    if (const Result<void> kept = file_->append(part); !kept) {
      return kept.error().kind == ErrorKind::busy ? Refusal::box_is_full : Refusal::disk_failed;
    }
  }
  gathered_.clear();
  return std::nullopt;
}

ApiError body_error(KeptBody::Refusal refusal, const BodyBounds& bounds) {
  switch (refusal) {
    case KeptBody::Refusal::body_too_large:
      return {413,
              "invalid_request_error",
              "request_too_large",
              fmt::format("the request's body is larger than {} bytes, the limit of this box",
                          bounds.body_max.count),
              {},
              false};
    case KeptBody::Refusal::key_is_full:
      return {429,
              "rate_limit_error",
              "too_many_bytes",
              fmt::format("this key has {} bytes of requests under way, as many as it may; wait "
                          "until some of them have been answered",
                          bounds.per_key_max.count),
              kRetryAfter,
              true};
    case KeptBody::Refusal::box_is_full:
      return {503,
              "server_error",
              "too_many_bodies",
              "the box keeps as many request bodies as it can; try again later",
              kRetryAfter,
              true};
    case KeptBody::Refusal::disk_failed:
      return {503,
              "server_error",
              "body_not_kept",
              "the box could not keep the request's body: its disk fails; tell its administrator",
              kRetryAfter,
              true};
  }
  return {};
}

Result<std::string_view> KeptBody::at(uint64_t offset, std::string& buffer) const {
  if (file_ == nullptr) return std::string_view(text_).substr(offset);
  const uint64_t in_file = size_ - gathered_.size();
  if (offset >= in_file) return std::string_view(gathered_).substr(offset - in_file);
  buffer.resize(static_cast<size_t>(std::min<uint64_t>(kPieceMax, in_file - offset)));
  const Result<size_t> count = file_->read(offset, buffer);
  if (!count) return count.error();
  if (*count == 0) {
    return Error{ErrorKind::broken, "body", "a kept request body ends early on the disk"};
  }
  return std::string_view(buffer).substr(0, *count);
}

}  // namespace sluice::proxy
