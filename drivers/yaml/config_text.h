// Whether bytes may be given to the YAML library at all. yaml-cpp guesses UTF-16 and UTF-32 from
// NUL bytes and takes the control character 0x04 for the end of the text: both are kept from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::drivers {

struct ConfigTextFault {
  int line = 0;  // 1-based
  std::string what;
};

// The first byte that is not UTF-8 (RFC 3629) or is a control character other than tab and line
// break; nothing if the text is sound.
std::optional<ConfigTextFault> find_config_text_fault(std::string_view text);

}  // namespace sluice::drivers
