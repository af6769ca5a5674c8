// One thing said to people, in both languages of the page. It tells what happened, what it means
// and what to do, and never a secret.
#pragma once

#include <string>

namespace sluice::tunnel {

struct Words {
  std::string en;
  std::string zh;
  bool empty() const { return en.empty(); }
  bool operator==(const Words&) const = default;
};

}  // namespace sluice::tunnel
