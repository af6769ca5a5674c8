// The text a stand-in engine writes: token i of an answer is a function of the prompt's text and i,
// so whoever knows the prompt can check every byte. Most tokens are " w" and hex digits; about one
// in eight carries multi-byte UTF-8 or characters that JSON must escape.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::testbed {

// The prompt's text is the concatenation of all message contents (of their text parts), or of the
// strings of `prompt`, in order.
std::uint64_t text_seed(std::string_view prompt_text);

std::string word(std::uint64_t seed, std::int64_t index);
std::string words(std::uint64_t seed, std::int64_t count);

// The stand-in's tokenizer: four bytes a token, at least one token.
std::int64_t prompt_tokens(std::size_t prompt_bytes);

std::uint64_t mix(std::uint64_t value);  // splitmix64's output function

}  // namespace sluice::testbed
