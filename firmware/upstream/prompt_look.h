// What a prompt holds besides text, seen as its bytes pass by: images and sound, which not every
// model takes, and how much of it is data in base64, whose bytes say nothing of its tokens.
//
// The bytes `"image_url"` followed by a colon can only be a key (json_keys.h); so can
// `"input_audio"`. Anthropic names an image by its type: `"type":"image"`.
// A value. Order: feed() all bytes of the messages in order.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::upstream {

class PromptLook {
 public:
  // A run of so many letters, digits, '+' and '/' is no text that anybody reads.
  static constexpr size_t kDataRunMin = 2048;
  // What an image or a piece of sound is taken to be worth, as bytes of text: about 1,000 tokens.
  static constexpr size_t kDataWorth = 4000;

  void feed(std::string_view bytes);

  bool has_images() const { return has_images_; }
  bool has_audio() const { return has_audio_; }
  // To be taken off the size of the prompt: data less what it is worth.
  size_t bytes_beyond_worth() const { return beyond_; }

 private:
  void look_for_parts(std::string_view bytes);
  void measure_data(std::string_view bytes);

  bool has_images_ = false;
  bool has_audio_ = false;
  size_t beyond_ = 0;
  std::string tail_;       // the last bytes fed: a name may be cut
  bool in_data_ = false;   // the last bytes fed were data
  size_t worth_left_ = 0;  // of the data that goes on
};

}  // namespace sluice::upstream
