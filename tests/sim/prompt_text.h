// Bodies of requests: real JSON whose `messages` take exactly four bytes for each prompt token, as
// the box counts them, so that its estimate is right (kBytesPerToken,
// firmware/proxy/request_ask.h); `bytes_per_token` makes it wrong by a factor. Prompts that share
// the ids of their first blocks of kBlockTokens share their first bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sim {

inline constexpr int64_t kBlockTokens = 512;

struct PromptSpec {
  int64_t tokens = 1;
  double bytes_per_token = 4;
  uint64_t own = 0;  // what no block names is text of this request alone
  const std::vector<uint64_t>* blocks = nullptr;  // ids, from the first
  std::string_view model;
  bool stream = true;
  int64_t output_max = 0;  // told as max_tokens; 0 = not told
};

// Replaces the content of `body`.
void write_body(const PromptSpec& prompt, std::string& body);

}  // namespace sluice::sim
