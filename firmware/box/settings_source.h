// The settings file and the overlay on top of it, as they are on disk.
#pragma once

#include <string>

#include "firmware/base/result.h"
#include "firmware/ports/files.h"
#include "firmware/settings/overlay.h"

namespace sluice::box {

inline constexpr Bytes kSettingsFileMax{1024 * 1024};

struct LoadedSettings {
  settings::Base base;
  settings::Overlay overlay;
  settings::Effective effective;
  std::string trouble;  // of the overlay: what was left out, for the log; empty: none
};

// Errors: refused or gone, with file and line of everything that is wrong in the file itself.
Result<LoadedSettings> load_settings(const std::string& path, ports::Files& files);

}  // namespace sluice::box
