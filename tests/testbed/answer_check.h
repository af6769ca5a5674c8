// Checks every byte of an answer against what the stand-in engine must have written for the prompt
// (words.h): the text, that it ends where it should, the finish reason, the usage numbers, [DONE].
// Pure. One object per answer.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sluice::testbed {

struct ExpectedAnswer {
  std::string prompt_text;
  bool chat = true;
  bool usage_asked = true;      // of a stream; a whole answer always has it
  std::int64_t max_tokens = 0;  // 0: not asked
  // A real engine's answer: any text, a piece of it counts as a token until usage says how many.
  bool any_text = false;
};

class AnswerCheck {
 public:
  enum class Verdict {
    open,       // so far right, not complete
    complete,   // all right to the end
    error,      // the peer said that it failed
    malformed,  // not JSON, or not the shape of an answer
    wrong       // an answer, but not this one: see why()
  };

  explicit AnswerCheck(const ExpectedAnswer& expected);

  void on_event(std::string_view name, std::string_view data);  // of a stream
  void on_whole(std::string_view body);
  // Returns true once: the event just seen brought the answer's first text.
  bool took_first_text();

  Verdict verdict() const { return verdict_; }
  const std::string& why() const { return why_; }
  std::int64_t tokens() const { return tokens_; }
  const std::string& model() const { return model_; }

 private:
  void on_chunk(const nlohmann::json& chunk);
  void on_choice(const nlohmann::json& choice, bool whole);
  void on_usage(const nlohmann::json& usage);
  void on_complete();
  void judge_numbers();
  void take_text(std::string_view text);
  void fail(Verdict verdict, std::string why);

  ExpectedAnswer expected_;
  std::uint64_t seed_;
  Verdict verdict_ = Verdict::open;
  std::string why_;
  std::string model_;
  std::string word_;       // the token being compared
  std::size_t place_ = 0;  // bytes of it seen
  std::int64_t tokens_ = 0;
  bool text_seen_ = false;
  bool first_text_told_ = false;
  std::string finish_reason_;
  std::int64_t usage_prompt_ = -1;
  std::int64_t usage_completion_ = -1;
};

}  // namespace sluice::testbed
