// The settings as they are, as YAML that loads again, and where each value comes from.
// Secrets: there are none to show; a credential is the place of a key.
#pragma once

#include <string>

#include "firmware/ports/config.h"
#include "firmware/settings/problem.h"
#include "firmware/settings/settings.h"

namespace sluice::settings {

std::string print_settings(const Settings& settings);

// Each value is followed by a comment: default, file:line, or overlay by whom and when.
// `tree` is what `settings` was loaded from.
std::string print_settings(const Settings& settings, const ports::ConfigNode& tree,
                           const Sources& sources);

// "default", "sluice.yaml:12" or "overlay by ann at ..." of the key with this address.
std::string origin_of(std::string_view address, const ports::ConfigNode& tree,
                      const Sources& sources);

}  // namespace sluice::settings
