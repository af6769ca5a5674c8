#include "firmware/ports/config.h"

#include <fmt/format.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "drivers/yaml/config_events.h"
#include "drivers/yaml/config_limits.h"
#include "drivers/yaml/config_text.h"

namespace sluice::ports {

namespace {

Error fault_at(std::string_view name, int line, std::string_view what) {
  return {ErrorKind::refused, "config", fmt::format("{}:{}: {}", name, line, what)};
}

}  // namespace

Result<ConfigNode> parse_config(std::string_view text, std::string_view name) {
  using namespace drivers;
  if (text.size() > kConfigBytesMax) {
    return fault_at(
        name, 1,
        fmt::format("the file has {} bytes; write at most {}", text.size(), kConfigBytesMax));
  }
  if (const auto fault = find_config_text_fault(text)) {
    return fault_at(name, fault->line, fault->what);
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark says nothing
  ConfigEvents events(text);
  try {
    std::istringstream input{std::string(text)};
    YAML::Parser parser(input);
    while (!events.fault() && parser.HandleNextDocument(events)) {
    }
  } catch (const YAML::Exception& e) {
    const int line = e.mark.is_null() ? 1 : e.mark.line + 1;
    if (!events.fault()) {
      return fault_at(name, line,
                      fmt::format("not YAML: {}; check indentation, quotes and brackets", e.msg));
    }
  }
  if (const auto& fault = events.fault()) return fault_at(name, fault->line, fault->what);
  ConfigNode root = events.take_root();
  if (root.line == 0) root.line = root.column = 1;
  return root;
}

}  // namespace sluice::ports
