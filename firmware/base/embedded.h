// A file carried inside the program (the page, the engine descriptions).
#pragma once

#include <string_view>
#include <vector>

namespace sluice {

struct EmbeddedFile {
  std::string_view name;
  std::string_view bytes;  // lives as long as the program
};

}  // namespace sluice
