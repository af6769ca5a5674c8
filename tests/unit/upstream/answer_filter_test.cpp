#include "firmware/upstream/answer_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sluice;
using namespace sluice::upstream;

namespace {

struct Passed {
  std::string bytes;
  int64_t tokens = 0;
  int64_t usage_in = -1, usage_out = -1;
  bool done = false, error = false;
  bool operator==(const Passed&) const = default;
};

Passed pass(const std::vector<std::string_view>& pieces, const AnswerEdits& edits,
            bool stream = true) {
  AnswerFilter filter(stream, edits);
  Passed passed;
  int64_t tokens = 0;
  for (const std::string_view piece : pieces) {
    passed.bytes += filter.feed(piece);
    tokens += filter.new_tokens();
  }
  passed.bytes += filter.finish();
  tokens += filter.new_tokens();
  passed.tokens = filter.tokens_counted();
  CHECK(tokens == passed.tokens);
  if (filter.usage()) {
    passed.usage_in = filter.usage()->in.count;
    passed.usage_out = filter.usage()->out.count;
  }
  passed.done = filter.done_seen();
  passed.error = filter.error_seen();
  return passed;
}

std::string chunk(const std::string& delta, const std::string& rest = "") {
  return R"(data: {"id":"c","model":"Qwen/Qwen3-8B","choices":[{"index":0,"delta":{)" + delta +
         "}}]" + rest + "}\n\n";
}

const std::string kRole = chunk(R"("role":"assistant","content":"")");
const std::string kText = chunk(R"("content":"你好, \"model\": \"Qwen/Qwen3-8B\"")");
const std::string kMore = chunk(R"("reasoning_content":"hm")", R"(,"usage":null)");
const std::string kUsage =
    "data: {\"id\":\"c\",\"model\":\"Qwen/Qwen3-8B\",\"choices\":[ ],\"usage\":"
    "{\"prompt_tokens\":12,\"completion_tokens\":2}}\n\n";
const std::string kDone = "data: [DONE]\n\n";
const std::string kStream = ": hello\n\n" + kRole + kText + kMore + kUsage + kDone;

AnswerEdits edits(bool strip, const std::string& client_model = "Qwen/Qwen3-8B") {
  AnswerEdits made;
  made.strip_usage = strip;
  made.upstream_model = "Qwen/Qwen3-8B";
  made.client_model = client_model;
  return made;
}

std::string renamed(std::string text) {
  const std::string from = R"("model":"Qwen/Qwen3-8B")";
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from)) {
    text.replace(at, from.size(), R"("model":"chat")");
  }
  return text;
}

}  // namespace

TEST_CASE("answer filter: without edits every byte passes at once") {
  AnswerFilter filter(true, edits(false));
  CHECK(filter.feed("data: {\"ch") == "data: {\"ch");
  CHECK(filter.feed("oices\":") == "oices\":");
  CHECK(filter.finish().empty());
  const Passed passed = pass({kStream}, edits(false));
  CHECK(passed.bytes == kStream);
  CHECK(passed.tokens == 2);
  CHECK(passed.usage_in == 12);
  CHECK(passed.usage_out == 2);
  CHECK(passed.done);
  CHECK_FALSE(passed.error);
}

TEST_CASE("answer filter: the usage chunk that only we asked for is left out, and read") {
  const Passed passed = pass({kStream}, edits(true));
  CHECK(passed.bytes == ": hello\n\n" + kRole + kText + kMore + kDone);
  CHECK(passed.usage_in == 12);
}

TEST_CASE("answer filter: a last chunk with choices and usage is kept, and read") {
  const std::string last =
      chunk(R"("content":"end")", R"(,"usage":{"prompt_tokens":5,"completion_tokens":1})");
  const Passed passed = pass({kRole + last + kDone}, edits(true));
  CHECK(passed.bytes == kRole + last + kDone);
  CHECK(passed.usage_in == 5);
  CHECK(passed.tokens == 1);
}

TEST_CASE("answer filter: a chunk without choices and without usage is kept") {
  const std::string first = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
  CHECK(pass({first + kDone}, edits(true)).bytes == first + kDone);
}

TEST_CASE("answer filter: only the model's value is renamed, never the text") {
  CHECK(pass({kStream}, edits(false, "chat")).bytes == renamed(kStream));
  CHECK(renamed(kStream).find(R"(\"model\": \"Qwen/Qwen3-8B\")") != std::string::npos);
  const std::string other = "data: {\"model\":\"Other\",\"choices\":[]}\n\n";
  CHECK_MESSAGE(pass({other}, edits(false, "chat")).bytes == other, "another name is not ours");
  const std::string escaped = "data: {\"model\" : \"Qwen\\/Qwen3-8B\",\"choices\":[]}\n\n";
  CHECK(pass({escaped}, edits(false, "a\"b")).bytes ==
        "data: {\"model\" : \"a\\\"b\",\"choices\":[]}\n\n");
}

TEST_CASE("answer filter: split at any byte, the client gets the same and the meter too") {
  for (const std::string& text :
       {kStream, "event: error\r\ndata: {\"error\":{}}\r\n\r\n" + kText}) {
    for (const AnswerEdits& made : {edits(false), edits(true), edits(true, "chat")}) {
      const Passed whole = pass({text}, made);
      const std::string_view view = text;
      int different = 0;
      for (size_t at = 0; at <= text.size(); ++at) {
        different += pass({view.substr(0, at), view.substr(at)}, made) == whole ? 0 : 1;
      }
      CHECK(different == 0);
      std::vector<std::string_view> bytes;
      for (size_t at = 0; at < text.size(); ++at) bytes.push_back(view.substr(at, 1));
      CHECK(pass(bytes, made) == whole);
    }
  }
}

TEST_CASE("answer filter: errors in a stream are seen and passed on") {
  const std::string object = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
  const std::string named = "event: error\ndata: {\"message\":\"x\"}\n\n";
  for (const std::string& text : {object, named}) {
    const Passed passed = pass({kText + text}, edits(true, "chat"));
    CHECK(passed.error);
    CHECK_FALSE(passed.done);
    CHECK(passed.bytes == renamed(kText) + text);
  }
  CHECK_FALSE(pass({"data: {\"error\":null}\n\n"}, edits(true)).error);
}

TEST_CASE("answer filter: a stream whose last empty line is missing is whole all the same") {
  for (const char* end : {"data: [DONE]", "data: [DONE]\n", "data: [DONE]\r"}) {
    for (const AnswerEdits& made : {edits(false), edits(true, "chat")}) {
      const Passed passed = pass({kText + end}, made);
      CHECK(passed.done);
      CHECK(passed.bytes == (made.any() ? renamed(kText) : kText) + end);
    }
  }
}

TEST_CASE("answer filter: a stream cut inside an event passes what came") {
  const std::string_view part = std::string_view(kText).substr(0, kText.size() - 20);
  const Passed passed = pass({kRole, part}, edits(true));
  CHECK(passed.bytes == kRole + std::string(part));
  CHECK_FALSE(passed.done);
}

TEST_CASE("answer filter: an event too long to be read passes unread, with all that follows") {
  const std::string huge = "data: " + std::string(SseReader::kEventMax + 10, 'x');
  const Passed passed = pass({kText, huge, "tail", kUsage}, edits(true, "chat"));
  CHECK(passed.bytes == renamed(kText) + huge + "tail" + kUsage);
  CHECK_FALSE(passed.done);
}

TEST_CASE("answer filter: usage of a whole answer stands in its tail") {
  const std::string answer = R"({"model":"Qwen/Qwen3-8B","choices":[{"message":{"content":")" +
                             std::string(200'000, 'a') +
                             R"( \"usage\":{\"prompt_tokens\":1}"}}],"usage":{"prompt_tokens":7,)"
                             R"("completion_tokens":3}})";
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < answer.size(); at += 1000) {
    pieces.push_back(std::string_view(answer).substr(at, 1000));
  }
  const Passed passed = pass(pieces, edits(true), false);
  CHECK(passed.bytes == answer);
  CHECK(passed.usage_in == 7);
  CHECK(passed.usage_out == 3);
  const Passed other = pass(pieces, edits(true, "chat"), false);
  CHECK(other.bytes == renamed(answer));
  CHECK(other.usage_in == 7);
}

TEST_CASE("answer filter: a whole answer too long to be renamed passes under its own name") {
  const std::string start = R"({"model":"Qwen/Qwen3-8B","text":")";
  const std::string rest(AnswerFilter::kRenamedBodyMax, 'b');
  const Passed passed = pass({start, rest, "\"}"}, edits(false, "chat"), false);
  CHECK(passed.bytes == start + rest + "\"}");
}

TEST_CASE("answer filter: tool calls and refusals are tokens, empty deltas are none") {
  const std::string tool =
      chunk(R"("tool_calls":[{"function":{"name":"f","arguments":"{\"a\""}}])");
  const std::string refusal = chunk(R"("refusal":"no")");
  const std::string completion = "data: {\"choices\":[{\"text\":\"x\"}]}\n\n";
  const std::string empty = chunk(R"("content":null)") + chunk(R"("content":"")");
  CHECK(pass({tool + refusal + completion + empty}, edits(false)).tokens == 3);
}
