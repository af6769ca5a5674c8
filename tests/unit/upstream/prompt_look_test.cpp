#include "firmware/upstream/prompt_look.h"

#include <doctest/doctest.h>

#include <string>

using namespace sluice::upstream;

namespace {

PromptLook look_at(const std::string& text, size_t piece = std::string::npos) {
  PromptLook look;
  for (size_t at = 0; at < text.size(); at += std::min(piece, text.size())) {
    look.feed(std::string_view(text).substr(at, piece));
  }
  return look;
}

std::string base64(size_t size) {
  constexpr std::string_view kLetters = "iVBORw0KGgoAAAANSUhEUgAA+/Zz019";
  std::string made;
  while (made.size() < size) made += kLetters;
  made.resize(size);
  return made;
}

std::string prose(size_t size) {
  std::string made;
  while (made.size() < size) made += "the quick brown fox jumps over the lazy dog. ";
  made.resize(size);
  return made;
}

}  // namespace

TEST_CASE("prompt look: images and sound are seen in the form of each API") {
  CHECK(look_at(R"([{"type":"image_url","image_url":{"url":"https://x/y.png"}}])").has_images());
  CHECK(look_at(R"([{"type":"input_image","image_url" : "https://x/y.png"}])").has_images());
  CHECK(look_at(R"([{"type": "image", "source":{"type":"url"}}])").has_images());
  CHECK(look_at("[{\"type\" :\n \"image\"}]").has_images());
  CHECK(look_at(R"([{"type":"input_audio","input_audio":{"format":"wav"}}])").has_audio());
  CHECK_FALSE(look_at(R"([{"type":"input_audio","input_audio":{}}])").has_images());
}

TEST_CASE("prompt look: words in a text are no parts") {
  CHECK_FALSE(
      look_at(R"([{"content":"describe the image, the \"image_url\": \"x\""}])").has_images());
  CHECK_FALSE(look_at(R"([{"content":"\"type\":\"image\" and \"input_audio\":1"}])").has_images());
  CHECK_FALSE(look_at(R"([{"content":"\"input_audio\":1"}])").has_audio());
  CHECK_FALSE(look_at(R"([{"name":"image"}])").has_images());
}

TEST_CASE("prompt look: a part is seen wherever the pieces of a large body end") {
  const std::string text = prose(200) + R"({"type":"image_url","image_url":{}})" + prose(100);
  for (size_t piece = 1; piece < 300; piece += 7) {
    CAPTURE(piece);
    CHECK(look_at(text, std::max<size_t>(piece, 40)).has_images());
  }
}

TEST_CASE("prompt look: data counts what it is worth, text counts in full") {
  CHECK(look_at(prose(50'000)).bytes_beyond_worth() == 0);
  CHECK(look_at("\"" + base64(2000) + "\"").bytes_beyond_worth() == 0);
  CHECK(look_at("\"" + base64(3500) + "\"").bytes_beyond_worth() == 0);
  const size_t kMegabyte = 1'000'000;
  for (const size_t before : {0, 1, 700, 1023, 1024, 5000}) {
    const std::string text = prose(before) + "\"" + base64(kMegabyte) + "\"" + prose(3000) + "\"" +
                             base64(10'000) + "\"";
    const size_t found = look_at(text).bytes_beyond_worth();
    CHECK(found == kMegabyte - 4000 + 10'000 - 4000);
  }
}

TEST_CASE("prompt look: data that comes in pieces is one piece of data") {
  const std::string text = prose(300) + " \"" + base64(100'000) + "\" " + prose(300);
  for (const size_t piece : {8192, 40'000, 99'000}) {
    const size_t found = look_at(text, piece).bytes_beyond_worth();
    CHECK(found > 90'000);
    CHECK(found <= 96'000);
  }
}

TEST_CASE("prompt look: a long text without blanks in another script is text") {
  std::string text;
  while (text.size() < 60'000) text += "\xe6\xb1\x9f\xe6\xb9\x96";
  CHECK(look_at(text).bytes_beyond_worth() == 0);
}
