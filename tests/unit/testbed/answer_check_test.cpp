#include "tests/testbed/answer_check.h"

#include <doctest/doctest.h>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/sse_lines.h"
#include "tests/testbed/words.h"

using namespace sluice::testbed;
using Verdict = AnswerCheck::Verdict;

namespace {

const char* const kPrompt = "what does the sluice do?";

ExpectedAnswer expected_of(std::int64_t tokens) {
  return ExpectedAnswer{
      .prompt_text = kPrompt, .chat = true, .usage_asked = true, .max_tokens = tokens};
}

AnswerFacts facts_of(std::int64_t tokens, bool stops) {
  InferRequest request;
  request.model = "m";
  request.prompt_text = kPrompt;
  request.include_usage = true;
  const AnswerScript script(request, tokens, stops);
  return {request, script, 1, 1700000000, prompt_tokens(std::string_view(kPrompt).size())};
}

std::string joined(const Events& events) {
  std::string text;
  for (const std::string& event : events) text += event;
  return text;
}

// A stream of `tokens` whose usage tells `told`; without a reason the text breaks off.
std::string stream_of(std::int64_t tokens, std::int64_t told, std::string_view reason) {
  const AnswerFacts facts = facts_of(reason.empty() ? tokens + 1 : tokens, reason == "stop");
  const auto wire = make_wire(facts);
  std::string text = joined(wire->begin());
  for (std::int64_t i = 0; i < tokens; ++i) {
    text += joined(wire->token(0, facts.script.piece(0, i)));
  }
  return text + joined(make_wire(facts_of(told, false))->end());
}

AnswerCheck check_in_slices(std::string_view stream, std::size_t slice, std::int64_t tokens) {
  AnswerCheck check(expected_of(tokens));
  SseLines lines;
  for (; !stream.empty(); stream.remove_prefix(std::min(slice, stream.size()))) {
    lines.feed(stream.substr(0, slice), [&check](std::string_view name, std::string_view data) {
      check.on_event(name, data);
    });
  }
  return check;
}

}  // namespace

TEST_CASE("answer check: the engine's own stream is complete in any slicing") {
  const std::string stream = stream_of(200, 200, "length");
  for (const std::size_t slice : {1UL, 2UL, 7UL, 1000UL, 1000000UL}) {
    const AnswerCheck check = check_in_slices(stream, slice, 200);
    CHECK(check.verdict() == Verdict::complete);
    CHECK(check.tokens() == 200);
    CHECK(check.model() == "m");
  }
}

TEST_CASE("answer check: one changed byte of the text is wrong") {
  std::string stream = stream_of(50, 50, "length");
  const std::size_t place = stream.find(" w", stream.size() / 2) + 2;
  stream[place] = stream[place] == '0' ? '1' : '0';
  CHECK(check_in_slices(stream, 100, 50).verdict() == Verdict::wrong);
}

TEST_CASE("answer check: a truncated answer made to look whole is wrong") {
  CHECK(check_in_slices(stream_of(20, 20, ""), 100, 50).verdict() == Verdict::wrong);
  CHECK(check_in_slices(stream_of(20, 20, "length"), 100, 50).verdict() == Verdict::wrong);
  CHECK(check_in_slices(stream_of(20, 20, "stop"), 100, 50).verdict() == Verdict::complete);
}

TEST_CASE("answer check: usage must count what came") {
  CHECK(check_in_slices(stream_of(50, 49, "length"), 100, 50).verdict() == Verdict::wrong);
  AnswerCheck unasked(ExpectedAnswer{.prompt_text = kPrompt, .usage_asked = false});
  unasked.on_event("", make_wire(facts_of(1, false))->end().front().substr(6));
  CHECK(unasked.verdict() == Verdict::wrong);
}

TEST_CASE("answer check: a stream without DONE stays open, an error event is an error") {
  std::string stream = stream_of(50, 50, "length");
  stream.resize(stream.find("data: [DONE]"));
  CHECK(check_in_slices(stream, 100, 50).verdict() == Verdict::open);
  stream += "data: {\"error\":{\"message\":\"gone\"}}\n\n";
  CHECK(check_in_slices(stream, 100, 50).verdict() == Verdict::error);
}

TEST_CASE("answer check: a whole answer is compared alike") {
  const std::string whole = make_wire(facts_of(30, false))->whole();
  AnswerCheck good(expected_of(30));
  good.on_whole(whole);
  CHECK(good.verdict() == Verdict::complete);
  AnswerCheck bad(expected_of(30));
  const std::size_t first = whole.find(" w");
  bad.on_whole(whole.substr(0, first) + whole.substr(first + 1));
  CHECK(bad.verdict() == Verdict::wrong);
}

TEST_CASE("answer check: of a real engine any text is right, but not one that breaks off") {
  ExpectedAnswer expected = expected_of(20);
  expected.any_text = true;
  const std::string choice =
      R"({"choices":[{"index":0,"delta":{"content":"Water"},"finish_reason":null}]})";
  const std::string last = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
  AnswerCheck whole(expected);
  whole.on_event("", choice);
  whole.on_event("", last);
  whole.on_event("", R"({"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":3}})");
  CHECK(whole.tokens() == 1);
  whole.on_event("", "[DONE]");
  CHECK(whole.verdict() == Verdict::complete);
  CHECK_MESSAGE(whole.tokens() == 3, "usage knows better how many a piece held");
  AnswerCheck broken(expected);
  broken.on_event("", choice);
  broken.on_event("", "[DONE]");
  CHECK(broken.verdict() == Verdict::wrong);
}
