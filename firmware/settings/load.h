// From the tree of a settings file to Settings: every value checked, every unknown key refused,
// fields checked against each other, and all complaints made at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/ports/config.h"
#include "firmware/settings/problem.h"
#include "firmware/settings/settings.h"

namespace sluice::settings {

struct LoadReport {
  Settings settings;  // usable only if there are no problems
  std::vector<Problem> problems;
  bool ok() const { return problems.empty(); }
};

LoadReport load(const ports::ConfigNode& root, const Sources& sources);

// The same with one error. `name` is the file's name. Errors: refused.
Result<Settings> load(const ports::ConfigNode& root, std::string_view name);

// Text to Settings. Errors: refused.
Result<Settings> load_text(std::string_view yaml, std::string_view name);

// Fills what follows from other fields: admin socket, upstream names, price currencies, data
// classes, the service level "default".
void complete(Settings& settings);

}  // namespace sluice::settings
