// The OpenAI wire format as an engine speaks it: the request's fields that matter here, and the
// bodies, chunks and errors of the answers, in vLLM's shape.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testbed {

struct ChatRequest {
  bool chat = true;  // /v1/chat/completions, else /v1/completions
  std::string model;
  std::string prompt_text;  // as words.h defines it
  bool stream = false;
  bool include_usage = false;
  std::int64_t max_tokens = 0;  // 0: not given
  bool ignore_eos = false;
};

// An error text for people when the body is not a request.
std::optional<std::string> read_chat_request(std::string_view body, bool chat,
                                             ChatRequest* request);

// All texts of one answer.
class AnswerWire {
 public:
  AnswerWire(const ChatRequest& request, std::string id, std::int64_t created);

  // Server-sent events, each complete with its blank line.
  std::string role_event() const;  // empty for completions
  std::string token_event(std::string_view text, std::string_view finish_reason) const;
  std::string usage_event(std::int64_t prompt_tokens, std::int64_t completion_tokens) const;
  static std::string done_event() { return "data: [DONE]\n\n"; }

  std::string whole(std::string_view text, std::string_view finish_reason,
                    std::int64_t prompt_tokens, std::int64_t completion_tokens) const;

 private:
  std::string event(std::string_view choices, std::string_view usage) const;

  bool chat_;
  bool include_usage_;
  std::string id_;
  std::string model_;
  std::int64_t created_;
};

std::string error_body(int status, std::string_view type, std::string_view message);
std::string models_body(const std::vector<std::string>& models, std::int64_t created,
                        std::int64_t max_model_len);
// An error text for people when the body is not a request. The vector depends on the text only.
std::optional<std::string> answer_embeddings(std::string_view body, std::string* answer);

}  // namespace sluice::testbed
