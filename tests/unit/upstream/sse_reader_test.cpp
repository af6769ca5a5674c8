#include "firmware/upstream/sse_reader.h"

#include <doctest/doctest.h>

#include <vector>

using namespace sluice::upstream;

namespace {

struct Seen {
  std::string raw, name, data;
  bool operator==(const Seen&) const = default;
};

void drain(SseReader& reader, std::vector<Seen>& seen) {
  while (const auto event = reader.next()) {
    seen.push_back({std::string(event->raw), std::string(event->name), std::string(event->data)});
  }
}

std::vector<Seen> read(const std::vector<std::string_view>& pieces) {
  SseReader reader;
  std::vector<Seen> seen;
  for (const std::string_view piece : pieces) {
    reader.feed(piece);
    drain(reader, seen);
  }
  seen.push_back({std::string(reader.rest()), "rest", ""});
  return seen;
}

std::string with_ends(std::string_view text, std::string_view end) {
  std::string out;
  for (const char c : text) c == '\n' ? out.append(end) : out.append(1, c);
  return out;
}

constexpr std::string_view kStream =
    ": comment\n\ndata: one\n\nevent: error\ndata:two\nid: 7\n\n\ndata: a\ndata: b\n\n"
    "data\n\nretry: 10\ndata:  two blanks\n\ndatax: no\n\ndata: [DONE]\n\ndata: unfin";

}  // namespace

TEST_CASE("sse: events are cut at empty lines, with their fields") {
  const std::vector<Seen> seen = read({kStream});
  REQUIRE(seen.size() == 10);
  CHECK(seen[0] == Seen{": comment\n\n", "", ""});
  CHECK(seen[1] == Seen{"data: one\n\n", "", "one"});
  CHECK(seen[2] == Seen{"event: error\ndata:two\nid: 7\n\n", "error", "two"});
  CHECK(seen[3] == Seen{"\n", "", ""});
  CHECK(seen[4] == Seen{"data: a\ndata: b\n\n", "", "a\nb"});
  CHECK(seen[5] == Seen{"data\n\n", "", ""});
  CHECK(seen[6].data == " two blanks");
  CHECK(seen[7] == Seen{"datax: no\n\n", "", ""});
  CHECK(seen[8].data == "[DONE]");
  CHECK(seen[9].raw == "data: unfin");
}

TEST_CASE("sse: however the bytes are cut, and whatever ends a line, the events are the same") {
  for (const std::string_view end : {"\n", "\r\n", "\r"}) {
    const std::string text = with_ends(kStream, end);
    const std::vector<Seen> whole = read({text});
    CAPTURE(end);
    CHECK(whole.size() == 10);
    const std::string_view view = text;
    for (size_t a = 0; a <= text.size(); ++a) {
      const bool same = read({view.substr(0, a), view.substr(a)}) == whole;
      if (!same) FAIL("cut at " << a);
      for (size_t b = a; b <= text.size(); b += 3) {
        if (read({view.substr(0, a), view.substr(a, b - a), view.substr(b)}) != whole) {
          FAIL("cut at " << a << " and " << b);
        }
      }
    }
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < text.size(); ++i) bytes.push_back(view.substr(i, 1));
    CHECK(read(bytes) == whole);
  }
}

TEST_CASE("sse: no byte is lost or made up") {
  for (const std::string_view end : {"\n", "\r\n", "\r"}) {
    const std::string text = with_ends(kStream, end);
    std::string back;
    for (const Seen& one : read({text})) back += one.raw;
    CHECK(back == text);
  }
}

TEST_CASE("sse: a CR at the end waits to see whether an LF follows") {
  SseReader reader;
  reader.feed("data: x\r\n\r");
  CHECK_FALSE(reader.next().has_value());
  reader.feed("\n");
  const auto event = reader.next();
  REQUIRE(event.has_value());
  CHECK(event->raw == "data: x\r\n\r\n");
  CHECK(reader.rest().empty());
}

TEST_CASE("sse: an event beyond the bound is told, events within it are not") {
  SseReader reader;
  reader.feed("data: " + std::string(SseReader::kEventMax - 6, 'x'));
  CHECK_FALSE(reader.next().has_value());
  CHECK_FALSE(reader.is_too_long());
  reader.feed("x");
  CHECK_FALSE(reader.next().has_value());
  CHECK(reader.is_too_long());

  SseReader many;
  std::string text;
  while (text.size() <= 2 * SseReader::kEventMax) text += "data: some text\n\n";
  many.feed(text);
  while (many.next()) continue;
  CHECK_FALSE(many.is_too_long());
}

TEST_CASE("sse: what is left at the end can be read all the same") {
  SseReader reader;
  reader.feed("data: 1\n\ndata: [DONE]\n");
  CHECK(reader.next()->data == "1");
  CHECK_FALSE(reader.next().has_value());
  REQUIRE(reader.unfinished().has_value());
  CHECK(reader.unfinished()->data == "[DONE]");
  CHECK(reader.unfinished()->raw == "data: [DONE]\n");
  CHECK_FALSE(SseReader().unfinished().has_value());
}

TEST_CASE("sse: data in several lines is one text, with LF between") {
  SseReader reader;
  reader.feed("data: {\r\ndata:\r\nevent: x\r\ndata:  1}\r\n\r\ndata: a\n\ndata: b\ndata: c");
  const auto joined = reader.next();
  REQUIRE(joined.has_value());
  CHECK(joined->data == "{\n\n 1}");
  CHECK(joined->name == "x");
  CHECK(reader.next()->data == "a");
  CHECK(reader.unfinished()->data == "b\nc");
}
