// Putting one overlay entry into the tree of the settings file.
#pragma once

#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/ports/config.h"
#include "firmware/ports/json.h"
#include "firmware/settings/schema.h"

namespace sluice::settings {

// Every node of the result stands at `line`. Null becomes an empty node.
ports::ConfigNode to_config(const ports::JsonValue& value, int line);

// Sets `address` in `root` to `value`, making groups and named elements on the way.
// Errors: refused, with a text that begins after the key: "is not a known key; ...".
Result<void> set_in_tree(ports::ConfigNode& root, const SchemaNode& schema,
                         std::string_view address, const ports::ConfigNode& value);

// True if changing `address` would change what `locked` covers.
bool touches(std::string_view address, std::string_view locked);

}  // namespace sluice::settings
