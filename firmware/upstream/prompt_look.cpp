#include "firmware/upstream/prompt_look.h"

#include <algorithm>
#include <array>
#include <functional>

#include "firmware/upstream/json_keys.h"

namespace sluice::upstream {

namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kTailMax = 64;
constexpr size_t kSampleWidth = 32;

constexpr std::array<bool, 256> kIsData = [] {
  std::array<bool, 256> made{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_")) {
    made[static_cast<unsigned char>(c)] = true;
  }
  return made;
}();

bool is_data(char c) { return kIsData[static_cast<unsigned char>(c)]; }

using Search = std::boyer_moore_horspool_searcher<std::string_view::const_iterator>;

bool holds(std::string_view bytes, const Search& search) {
  return std::search(bytes.begin(), bytes.end(), search) != bytes.end();
}

// `"type" : "image"`, with or without blanks.
bool has_image_type(std::string_view bytes) {
  constexpr std::string_view kImage = "\"image\"";
  for (size_t at = bytes.find(kImage); at != kNone; at = bytes.find(kImage, at + 1)) {
    size_t before = at;
    const auto back_over_blanks = [&] {
      while (before > 0 && (bytes[before - 1] == ' ' || bytes[before - 1] == '\n')) --before;
    };
    back_over_blanks();
    if (before == 0 || bytes[before - 1] != ':') continue;
    --before;
    back_over_blanks();
    if (bytes.substr(0, before).ends_with("\"type\"")) return true;
  }
  return false;
}

}  // namespace

void PromptLook::feed(std::string_view bytes) {
  if (!tail_.empty()) {
    const std::string seam = tail_ + std::string(bytes.substr(0, kTailMax));
    look_for_parts(seam);
  }
  look_for_parts(bytes);
  measure_data(bytes);
  tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kTailMax));
  tail_.erase(0, tail_.size() - std::min(tail_.size(), kTailMax));
}

void PromptLook::look_for_parts(std::string_view bytes) {
  static constexpr std::string_view kImageWord = "image";
  static constexpr std::string_view kAudioWord = "input_audio";
  static const Search kImages(kImageWord.begin(), kImageWord.end());
  static const Search kAudio(kAudioWord.begin(), kAudioWord.end());
  if (!has_images_ && holds(bytes, kImages)) {
    has_images_ = find_value(bytes, "image_url") != kNone || has_image_type(bytes);
  }
  if (!has_audio_ && holds(bytes, kAudio)) {
    has_audio_ = find_value(bytes, "input_audio") != kNone;
  }
}

// A run that is long enough covers a sample; what stands around a sample tells whether it is one.
void PromptLook::measure_data(std::string_view bytes) {
  size_t from = 0;  // what is before it has been measured
  if (in_data_) {
    while (from < bytes.size() && is_data(bytes[from])) ++from;
    const size_t worth = std::min(worth_left_, from);
    worth_left_ -= worth;
    beyond_ += from - worth;
    in_data_ = from == bytes.size();
  }
  for (size_t at = from + kDataRunMin / 2; at < bytes.size(); at += kDataRunMin / 2) {
    const std::string_view sample = bytes.substr(at, kSampleWidth);
    if (!std::all_of(sample.begin(), sample.end(), is_data)) continue;
    size_t begin = at;
    while (begin > from && is_data(bytes[begin - 1])) --begin;
    size_t end = at;
    while (end < bytes.size() && is_data(bytes[end])) ++end;
    if (end - begin >= kDataRunMin) {
      const size_t worth = std::min(kDataWorth, end - begin);
      worth_left_ = kDataWorth - worth;
      beyond_ += end - begin - worth;
      in_data_ = end == bytes.size();
    }
    from = end;
    at = std::max(at, end);
  }
}

}  // namespace sluice::upstream
