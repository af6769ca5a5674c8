// The page that lists every setting, in English and Chinese. It stands beside this file as
// REFERENCE.md; a test compares the two.
#pragma once

#include <string>

namespace sluice::settings {

std::string reference_page();

}  // namespace sluice::settings
