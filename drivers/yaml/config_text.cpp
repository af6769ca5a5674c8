#include "drivers/yaml/config_text.h"

#include <fmt/format.h>

namespace sluice::drivers {

namespace {

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// Bytes of the UTF-8 sequence at `at`, 0 if it is not one: table 3-7 of the Unicode standard.
size_t sequence_size(std::string_view text, size_t at) {
  const uint8_t first = byte_at(text, at);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < size) return 0;
  const uint8_t second = byte_at(text, at + 1);
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte_at(text, at + i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

bool is_control(uint8_t byte) {
  return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
}

}  // namespace

std::optional<ConfigTextFault> find_config_text_fault(std::string_view text) {
  int line = 1;
  for (size_t at = 0; at < text.size();) {
    const uint8_t byte = byte_at(text, at);
    if (is_control(byte)) {
      return ConfigTextFault{
          line, fmt::format("control character 0x{:02x}; remove it, or write it as \"\\x{:02x}\"",
                            byte, byte)};
    }
    const size_t size = sequence_size(text, at);
    if (size == 0) {
      return ConfigTextFault{
          line, fmt::format("byte 0x{:02x} is not UTF-8; save the file in UTF-8", byte)};
    }
    if (byte == '\n') ++line;
    at += size;
  }
  return std::nullopt;
}

}  // namespace sluice::drivers
