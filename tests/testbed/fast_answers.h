// Answers of the fast engine, made once: whole ones, and the parts of streams.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sluice::testbed {

// What the fast engine needs to know of a request; found by searching the body for the keys.
struct FastAsk {
  static constexpr int kTokensMax = 1'000'000;

  bool stream = false;
  bool usage = false;   // stream_options.include_usage
  int tokens = 16;      // max_tokens
  int interval_us = 0;  // metadata.interval_us: between tokens; 0: all at once

  static FastAsk of(std::string_view body);
};

class FastAnswers {
 public:
  explicit FastAnswers(std::string model);

  const std::string& whole(int tokens);
  const std::string& models() const { return models_; }
  const std::string& healthy() const { return healthy_; }
  const std::string& missing() const { return missing_; }
  // A stream is head, `tokens` times token, and an end with or without usage.
  const std::string& stream_head() const { return stream_head_; }
  const std::string& token() const { return token_; }
  const std::string& end(const FastAsk& ask);

 private:
  std::string event(std::string_view choices, std::string_view more) const;
  static std::string chunk(std::string_view bytes);

  std::string model_;
  std::string models_;
  std::string healthy_;
  std::string missing_;
  std::string stream_head_;
  std::string token_;
  std::map<int, std::string> wholes_;
  std::map<int, std::string> ends_;  // by tokens; negative: without usage
};

}  // namespace sluice::testbed
