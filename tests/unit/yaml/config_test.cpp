#include "firmware/ports/config.h"

#include <doctest/doctest.h>

#include "drivers/yaml/config_limits.h"

using namespace sluice;
using ports::ConfigNode;
using ports::parse_config;

namespace {

ConfigNode parsed(std::string_view text) {
  auto node = parse_config(text, "box.yaml");
  REQUIRE_MESSAGE(node.has_value(), node.error().text);
  return *std::move(node);
}

std::string refusal(std::string_view text) {
  auto node = parse_config(text, "box.yaml");
  REQUIRE_FALSE(node.has_value());
  CHECK(node.error().kind == ErrorKind::refused);
  return node.error().text;
}

bool says(const std::string& text, std::string_view start, std::string_view word) {
  INFO(text);
  CHECK(text.starts_with(start));
  CHECK(text.find("; ") != std::string::npos);  // what is wrong; what to write
  return text.find(word) != std::string::npos;
}

std::string nested(int depth) {
  return std::string(static_cast<size_t>(depth), '[') +
         std::string(static_cast<size_t>(depth), ']');
}

}  // namespace

TEST_CASE("config: maps, lists and scalars keep their order and place") {
  const ConfigNode root = parsed(
      "# comment\n"
      "listen: 0.0.0.0:8080\n"
      "engines:\n"
      "  - name: big\n"
      "    url: 'http://10.0.0.2:8000'\n"
      "  - {name: \"small\", weight: 2}\n"
      "note: ~\n");
  CHECK(root.kind == ConfigNode::Kind::map);
  REQUIRE(root.members.size() == 3);
  CHECK(root.members[0].first == "listen");
  CHECK(root.members[2].first == "note");
  const ConfigNode* listen = root.find("listen");
  REQUIRE(listen != nullptr);
  CHECK(listen->scalar == "0.0.0.0:8080");
  CHECK_FALSE(listen->quoted);
  CHECK(listen->line == 2);
  CHECK(listen->column == 9);
  const ConfigNode* engines = root.find("engines");
  REQUIRE(engines != nullptr);
  REQUIRE(engines->items.size() == 2);
  const ConfigNode* url = engines->items[0].find("url");
  REQUIRE(url != nullptr);
  CHECK(url->scalar == "http://10.0.0.2:8000");
  CHECK(url->quoted);
  CHECK(url->line == 5);
  CHECK(url->column == 10);
  CHECK(engines->items[1].find("name")->quoted);
  CHECK(engines->items[1].find("weight")->scalar == "2");
  CHECK(root.find("note")->kind == ConfigNode::Kind::empty);
  CHECK(root.find("absent") == nullptr);
}

TEST_CASE("config: scalars stay as written, quoted ones are marked") {
  const ConfigNode root =
      parsed("a: 007\nb: yes\nc: \"\"\nd: |\n  two\n  lines\ne: 中文\nf: \"null\"\n");
  CHECK(root.find("a")->scalar == "007");
  CHECK(root.find("b")->scalar == "yes");
  CHECK(root.find("c")->kind == ConfigNode::Kind::scalar);
  CHECK(root.find("c")->quoted);
  CHECK(root.find("d")->scalar == "two\nlines\n");
  CHECK(root.find("e")->scalar == "中文");
  CHECK(root.find("f")->kind == ConfigNode::Kind::scalar);
}

TEST_CASE("config: an empty file is an empty node on line 1") {
  for (std::string_view text : {"", "\n\n", "# only a comment\n", "---\n"}) {
    const ConfigNode root = parsed(text);
    CHECK(root.kind == ConfigNode::Kind::empty);
    CHECK(root.line >= 1);
  }
  CHECK(parsed("{}").kind == ConfigNode::Kind::map);
  CHECK(parsed("[]").kind == ConfigNode::Kind::list);
}

TEST_CASE("config: line ends of other systems and a byte order mark do not matter") {
  const ConfigNode root = parsed(
      "\xef\xbb\xbf"
      "a: 1\r\nb: 2\r\n");
  CHECK(root.members[0].first == "a");
  CHECK(root.find("b")->scalar == "2");
  CHECK(root.find("b")->line == 2);
}

TEST_CASE("config: a key given twice is refused at the second place") {
  CHECK(says(refusal("a: 1\nb: 2\na: 3\n"), "box.yaml:3: ", "\"a\" a second time"));
  CHECK(says(refusal("x:\n  - {k: 1, \"k\": 2}\n"), "box.yaml:2: ", "\"k\""));
  CHECK(parsed("a: {k: 1}\nb: {k: 1}\n").members.size() == 2);
}

TEST_CASE("config: anchors, aliases and tags are refused") {
  CHECK(says(refusal("a: &x 1\n"), "box.yaml:1: ", "anchor"));
  CHECK(says(refusal("a: 1\nb: &x\n  c: 1\n"), "box.yaml:2: ", "anchor"));
  CHECK(says(refusal("a: &x\n"), "box.yaml:1: ", "anchor"));
  CHECK(says(refusal("a: &x [1]\nb: *x\n"), "box.yaml:1: ", "anchor"));
  CHECK(says(refusal("a: *x\n"), "box.yaml:1: ", ""));
  CHECK(says(refusal("a: !!str 1\n"), "box.yaml:1: ", "tag"));
  CHECK(says(refusal("a: 1\nb: !own {c: 1}\n"), "box.yaml:2: ", "tag"));
  CHECK(says(refusal("b: !own [1]\n"), "box.yaml:1: ", "tag"));
  CHECK(says(refusal("a: ! 1\n"), "box.yaml:1: ", "tag"));
  CHECK(parsed("a: '!x'\nb: \"&y\"\nc: x*y\n").find("a")->scalar == "!x");
}

TEST_CASE("config: keys are names") {
  CHECK(says(refusal("? [a, b]\n: 1\n"), "box.yaml:1: ", "key"));
  CHECK(says(refusal("? {a: b}\n: 1\n"), "box.yaml:1: ", "key"));
  CHECK(says(refusal("~: 1\n"), "box.yaml:1: ", "empty key"));
}

TEST_CASE("config: one document, and nothing after it") {
  CHECK(says(refusal("a: 1\n---\nb: 2\n"), "box.yaml:", "after the end"));
  CHECK(says(refusal("a: 1\n...\nb: 2\n"), "box.yaml:3: ", "after the end"));
  CHECK(parsed("---\na: 1\n...\n").members.size() == 1);
}

TEST_CASE("config: broken YAML is refused with its line") {
  CHECK(says(refusal("a: 1\nb: [1, 2\n"), "box.yaml:", "not YAML"));
  CHECK(says(refusal("a: 1\n\tb: 2\n"), "box.yaml:2: ", "not YAML"));
  CHECK(says(refusal("a: \"open\n"), "box.yaml:1: ", "never closed"));
  CHECK(says(refusal("中: 1\na: \"it\\\"s\n"), "box.yaml:2: ", "never closed"));
  CHECK(says(refusal("a: 'it''s\n"), "box.yaml:", ""));
  CHECK(parsed("a: 'it''s'\n中: \"\\\"\"\n").find("a")->scalar == "it's");
  CHECK(says(refusal("a: 1\n b: 2\n"), "box.yaml:2: ", ""));
}

TEST_CASE("config: bytes that are not UTF-8 text are refused") {
  CHECK(says(refusal("a: 1\nb: \xff\n"), "box.yaml:2: ", "0xff is not UTF-8"));
  CHECK(says(refusal("a: \xc0\xaf\n"), "box.yaml:1: ", "not UTF-8"));
  CHECK(says(refusal("a: \xed\xa0\x80\n"), "box.yaml:1: ", "not UTF-8"));
  CHECK(says(refusal("a: \xf4\x90\x80\x80\n"), "box.yaml:1: ", "not UTF-8"));
  CHECK(says(refusal("a: \xe4\xb8"), "box.yaml:1: ", "not UTF-8"));
  CHECK(says(refusal(std::string_view("a\0:\0 \0", 6)), "box.yaml:1: ", "0x00"));
  CHECK(says(refusal("a: 1\n\x04 hidden: 2\n"), "box.yaml:2: ", "0x04"));
}

TEST_CASE("config: size and depth are bounded") {
  CHECK(parsed("a: " + nested(drivers::kConfigDepthMax - 1) + "\n").members.size() == 1);
  CHECK(
      says(refusal("a: 1\nb: " + nested(drivers::kConfigDepthMax) + "\n"), "box.yaml:2: ", "deep"));
  CHECK(says(refusal(std::string(100000, '[')), "box.yaml:1: ", ""));
  std::string big = "a: 1\n#";
  big.append(drivers::kConfigBytesMax - big.size(), 'x');
  CHECK(parsed(big).members.size() == 1);
  CHECK(says(refusal(big + "x"), "box.yaml:1: ", "at most"));
}
