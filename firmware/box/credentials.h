// Where a node's key is found: a file or an environment variable. The key goes into one header
// field and nowhere else.
#pragma once

#include <string>

#include "firmware/base/result.h"
#include "firmware/ports/files.h"
#include "firmware/settings/settings.h"
#include "firmware/upstream/node_target.h"

namespace sluice::box {

// Fills the credential of `target`. Errors: refused, with the source (not the secret).
Result<void> read_credential(const settings::NodeSettings& node, ports::Files& files,
                             upstream::NodeTarget& target);

// The first line of a file that holds a secret, checked to be fit for a header field.
Result<std::string> read_secret_file(const std::string& path, ports::Files& files);

}  // namespace sluice::box
