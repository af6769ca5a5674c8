#include "tests/testbed/fast_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::testbed {

namespace {

constexpr std::string_view kWord = " token";
constexpr int kPromptTokens = 64;

std::string answer(std::string_view type, std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", type,
                     body.size(), body);
}

std::string usage_of(int tokens) {
  return fmt::format(R"("usage":{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})",
                     kPromptTokens, tokens, kPromptTokens + tokens);
}

// The whole number after the key, in quotation marks or not.
int number_after(std::string_view body, std::string_view key, int otherwise) {
  const std::size_t at = body.find(key);
  if (at == std::string_view::npos) return otherwise;
  const std::size_t digit = body.find_first_not_of(" :\"", at + key.size());
  if (digit == std::string_view::npos) return otherwise;
  int value = otherwise;
  std::from_chars(body.data() + digit, body.data() + body.size(), value);
  return std::clamp(value, 0, FastAsk::kTokensMax);
}

bool true_after(std::string_view body, std::string_view key) {
  const std::size_t at = body.find(key);
  if (at == std::string_view::npos) return false;
  const std::size_t word = body.find_first_not_of(" :", at + key.size());
  return word != std::string_view::npos && body.substr(word).starts_with("true");
}

}  // namespace

FastAsk FastAsk::of(std::string_view body) {
  FastAsk ask;
  ask.stream = true_after(body, "\"stream\"");
  ask.usage = true_after(body, "\"include_usage\"");
  ask.tokens = number_after(body, "\"max_tokens\"", ask.tokens);
  ask.interval_us = number_after(body, "\"interval_us\"", 0);
  return ask;
}

FastAnswers::FastAnswers(std::string model)
    : model_(std::move(model)),
      models_(answer("application/json",
                     fmt::format(R"({{"object":"list","data":[{{"id":"{}","object":"model",)"
                                 R"("created":1700000000,"owned_by":"testbed"}}]}})",
                                 model_))),
      healthy_(answer("text/plain", "")),
      missing_("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
      stream_head_(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
          "Transfer-Encoding: chunked\r\n\r\n"),
      token_(chunk(event(fmt::format(R"({{"index":0,"delta":{{"content":"{}"}},)"
                                     R"("logprobs":null,"finish_reason":null}})",
                                     kWord),
                         {}))) {}

std::string FastAnswers::chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string FastAnswers::event(std::string_view choices, std::string_view more) const {
  return fmt::format(
      "data: {{\"id\":\"chatcmpl-5f0c7d1e9b3a4c2f8e6d\",\"object\":\"chat.completion.chunk\","
      "\"created\":1700000000,\"model\":\"{}\",\"choices\":[{}]{}}}\n\n",
      model_, choices, more);
}

const std::string& FastAnswers::whole(int tokens) {
  std::string& made = wholes_[tokens];
  if (made.empty()) {
    std::string text;
    for (int i = 0; i < tokens; ++i) text += kWord;
    made =
        answer("application/json",
               fmt::format(R"({{"id":"chatcmpl-5f0c7d1e9b3a4c2f8e6d","object":"chat.completion",)"
                           R"("created":1700000000,"model":"{}","choices":[{{"index":0,"message":)"
                           R"({{"role":"assistant","content":"{}"}},"logprobs":null,)"
                           R"("finish_reason":"length"}}],{}}})",
                           model_, text, usage_of(tokens)));
  }
  return made;
}

const std::string& FastAnswers::end(const FastAsk& ask) {
  std::string& made = ends_[ask.usage ? ask.tokens : -1 - ask.tokens];
  if (made.empty()) {
    made = chunk(event(R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"length"})", {}));
    if (ask.usage) made += chunk(event({}, "," + usage_of(ask.tokens)));
    made += chunk("data: [DONE]\n\n") + "0\r\n\r\n";
  }
  return made;
}

}  // namespace sluice::testbed
