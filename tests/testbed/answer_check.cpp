#include "tests/testbed/answer_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/testbed/words.h"

namespace sluice::testbed {

using nlohmann::json;

AnswerCheck::AnswerCheck(const ExpectedAnswer& expected)
    : expected_(expected), seed_(text_seed(expected.prompt_text)), word_(word(seed_, 0)) {}

void AnswerCheck::fail(Verdict verdict, std::string why) {
  if (verdict_ == Verdict::wrong || verdict_ == Verdict::malformed) return;
  verdict_ = verdict;
  why_ = std::move(why);
}

bool AnswerCheck::took_first_text() {
  if (!text_seen_ || first_text_told_) return false;
  first_text_told_ = true;
  return true;
}

void AnswerCheck::on_event(std::string_view name, std::string_view data) {
  if (verdict_ == Verdict::error) {
    // After an error nothing of the answer may follow; a closing [DONE] is custom.
    if (data != "[DONE]") fail(Verdict::wrong, "an event after an error event");
    return;
  }
  if (verdict_ == Verdict::complete) return fail(Verdict::wrong, "an event after [DONE]");
  if (verdict_ != Verdict::open) return;
  if (data == "[DONE]") return on_complete();
  const json chunk = json::parse(data, nullptr, false);
  if (!chunk.is_object()) return fail(Verdict::malformed, "an event that is not a JSON object");
  if (name == "error" || chunk.contains("error")) return fail(Verdict::error, "error event");
  on_chunk(chunk);
}

void AnswerCheck::on_chunk(const json& chunk) {
  if (!chunk.contains("choices") || !chunk["choices"].is_array()) {
    return fail(Verdict::malformed, "a chunk without choices");
  }
  if (chunk.contains("model") && chunk["model"].is_string()) {
    model_ = chunk["model"].get_ref<const std::string&>();
  }
  for (const json& choice : chunk["choices"]) on_choice(choice, false);
  if (chunk.contains("usage") && !chunk["usage"].is_null()) {
    if (!expected_.usage_asked) return fail(Verdict::wrong, "usage, which was not asked for");
    on_usage(chunk["usage"]);
  }
}

void AnswerCheck::on_whole(std::string_view body) {
  const json whole = json::parse(body, nullptr, false);
  if (!whole.is_object()) return fail(Verdict::malformed, "a body that is not a JSON object");
  if (whole.contains("error")) return fail(Verdict::error, "an error with status 200");
  if (!whole.contains("choices") || !whole["choices"].is_array() || whole["choices"].size() != 1) {
    return fail(Verdict::malformed, "not exactly one choice");
  }
  if (whole.contains("model") && whole["model"].is_string()) model_ = whole["model"];
  expected_.usage_asked = true;
  on_choice(whole["choices"][0], true);
  if (whole.contains("usage")) on_usage(whole["usage"]);
  on_complete();
}

void AnswerCheck::on_choice(const json& choice, bool whole) {
  if (!choice.is_object()) return fail(Verdict::malformed, "a choice that is not an object");
  const char* const part = whole ? "message" : "delta";
  const char* const field = expected_.chat ? "content" : "text";
  if (expected_.chat && !(choice.contains(part) && choice[part].is_object())) {
    return fail(Verdict::malformed, fmt::format("a choice without {}", part));
  }
  const json& holder = expected_.chat ? choice[part] : choice;
  if (holder.contains(field) && holder[field].is_string()) {
    take_text(holder[field].get_ref<const std::string&>());
  }
  if (expected_.any_text && holder.contains("reasoning_content") &&
      holder["reasoning_content"].is_string()) {
    take_text(holder["reasoning_content"].get_ref<const std::string&>());
  }
  if (choice.contains("finish_reason") && choice["finish_reason"].is_string()) {
    if (!finish_reason_.empty()) return fail(Verdict::wrong, "a second finish_reason");
    finish_reason_ = choice["finish_reason"].get<std::string>();
  }
}

void AnswerCheck::take_text(std::string_view text) {
  if (text.empty()) return;
  text_seen_ = true;
  if (!finish_reason_.empty()) return fail(Verdict::wrong, "text after finish_reason");
  if (expected_.any_text) {
    ++tokens_;
    return;
  }
  while (!text.empty()) {
    const std::size_t length = std::min(text.size(), word_.size() - place_);
    if (word_.compare(place_, length, text.substr(0, length)) != 0) {
      return fail(Verdict::wrong, fmt::format("other text than expected in token {}", tokens_));
    }
    text.remove_prefix(length);
    place_ += length;
    if (place_ < word_.size()) continue;
    word_ = word(seed_, ++tokens_);
    place_ = 0;
  }
}

void AnswerCheck::on_usage(const json& usage) {
  const auto number = [&usage](const char* key) {
    const bool present = usage.is_object() && usage.contains(key);
    return present && usage[key].is_number_integer() ? usage[key].get<std::int64_t>() : -2;
  };
  if (usage_prompt_ != -1) return fail(Verdict::wrong, "usage twice");
  usage_prompt_ = number("prompt_tokens");
  usage_completion_ = number("completion_tokens");
}

void AnswerCheck::on_complete() {
  if (verdict_ != Verdict::open) return;
  if (finish_reason_.empty()) {
    fail(Verdict::wrong, "complete without a finish_reason: a truncated answer made to look whole");
  } else if (expected_.any_text) {
    tokens_ = std::max(tokens_, usage_completion_);
    verdict_ = Verdict::complete;
  } else {
    judge_numbers();
  }
}

void AnswerCheck::judge_numbers() {
  const std::int64_t prompt = prompt_tokens(expected_.prompt_text.size());
  if (place_ != 0) {
    fail(Verdict::wrong, fmt::format("the text ends within token {}", tokens_));
  } else if (expected_.max_tokens > 0 && finish_reason_ == "length" &&
             tokens_ != expected_.max_tokens) {
    fail(Verdict::wrong, fmt::format("{} of {} tokens", tokens_, expected_.max_tokens));
  } else if (expected_.max_tokens > 0 && tokens_ > expected_.max_tokens) {
    fail(Verdict::wrong, fmt::format("{} tokens of at most {}", tokens_, expected_.max_tokens));
  } else if (expected_.usage_asked && usage_prompt_ != prompt) {
    fail(Verdict::wrong, fmt::format("usage says {} prompt tokens of {}", usage_prompt_, prompt));
  } else if (expected_.usage_asked && usage_completion_ != tokens_) {
    fail(Verdict::wrong,
         fmt::format("usage says {} completion tokens of {}", usage_completion_, tokens_));
  } else {
    verdict_ = Verdict::complete;
  }
}

}  // namespace sluice::testbed
