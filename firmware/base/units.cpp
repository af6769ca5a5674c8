#include "firmware/base/units.h"

namespace sluice {

bool Currency::parse(std::string_view code, Currency* out) {
  if (code.size() != 3) return false;
  for (char c : code) {
    if (c < 'A' || c > 'Z') return false;
  }
  out->letters = {code[0], code[1], code[2]};
  return true;
}

}  // namespace sluice
