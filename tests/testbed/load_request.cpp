#include "tests/testbed/load_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tests/testbed/words.h"

namespace sluice::testbed {

namespace {

constexpr std::array<std::string_view, 8> kFiller = {
    " water", " gate", " \u95f8\u95e8", " caf\u00e9", " \"x\\y\"", " flow", "\n", " report"};

// Independent draws of one request.
enum class Draw : std::uint64_t { stream = 1, usage, abort, place };

double chance(const LoadOptions& options, std::int64_t index, Draw draw) {
  const std::uint64_t value = mix(options.seed * 31 + static_cast<std::uint64_t>(draw));
  return static_cast<double>(mix(value ^ static_cast<std::uint64_t>(index)) >> 11) * 0x1.0p-53;
}

bool chosen(LoadOptions::Mode mode, const LoadOptions& options, std::int64_t index, Draw draw) {
  if (mode == LoadOptions::Mode::mix) return chance(options, index, draw) < 0.5;
  return mode == LoadOptions::Mode::stream;
}

std::string body_of(const LoadOptions& options, const LoadRequest& request) {
  using nlohmann::json;
  const ExpectedAnswer& expected = request.expected;
  json body = {{"model", options.model}};
  if (options.chat) {
    body["messages"] = json::array({{{"role", "user"}, {"content", expected.prompt_text}}});
  } else {
    body["prompt"] = expected.prompt_text;
  }
  if (expected.max_tokens > 0) body["max_tokens"] = expected.max_tokens;
  if (request.stream) {
    body["stream"] = true;
    if (expected.usage_asked) body["stream_options"] = {{"include_usage", true}};
  }
  return body.dump();
}

std::string bytes_of(const LoadOptions& options, const LoadRequest& request) {
  const std::string body = body_of(options, request);
  std::string head = fmt::format(
      "POST {}/v1/{} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/json\r\n"
      "Accept: {}\r\nContent-Length: {}\r\n",
      options.base_path, options.chat ? "chat/completions" : "completions", options.host,
      options.port, request.stream ? "text/event-stream" : "application/json", body.size());
  if (!options.key.empty()) head += fmt::format("Authorization: Bearer {}\r\n", options.key);
  if (!options.keep_alive) head += "Connection: close\r\n";
  for (const std::string& header : options.headers) head += header + "\r\n";
  return head + "\r\n" + body;
}

}  // namespace

std::string prompt_of(const LoadOptions& options, std::int64_t index, std::int64_t tokens) {
  const std::size_t size = static_cast<std::size_t>(std::max<std::int64_t>(1, tokens)) * 4;
  std::string text =
      options.same_prompt ? "request:" : fmt::format("request {} of {}:", index, options.seed);
  std::uint64_t state = text_seed(text);
  while (text.size() < size) {
    state = mix(state);
    const std::string_view piece = kFiller[state % kFiller.size()];
    text += piece.size() <= size - text.size() ? piece : ".";
  }
  return text;
}

LoadRequest make_request(const LoadOptions& options, std::int64_t index, const Arrival& arrival) {
  LoadRequest request;
  const bool given = arrival.prompt_tokens > 0;
  request.index = index;
  request.stream = chosen(options.mode, options, index, Draw::stream);
  request.expected.prompt_text =
      prompt_of(options, index, given ? arrival.prompt_tokens : options.prompt_tokens);
  request.expected.chat = options.chat;
  request.expected.any_text = options.any_answer;
  request.expected.usage_asked =
      !request.stream || chosen(options.usage, options, index, Draw::usage);
  request.expected.max_tokens =
      arrival.output_tokens > 0 ? arrival.output_tokens : options.max_tokens;
  request.timeout = from_seconds(options.timeout_s);
  request.bytes = bytes_of(options, request);
  if (chance(options, index, Draw::abort) < options.abort_probability) {
    const double place = chance(options, index, Draw::place);
    const double tokens = static_cast<double>(request.expected.max_tokens);
    if (request.stream) request.abort_after_tokens = static_cast<std::int64_t>(place * tokens);
    if (!request.stream) request.abort_after = from_seconds(place * options.abort_within_s);
  }
  return request;
}

}  // namespace sluice::testbed
