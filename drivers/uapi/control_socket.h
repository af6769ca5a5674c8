// The unix socket by which a userspace WireGuard is controlled: FOLDER/INTERFACE.sock.
#pragma once

#include <string>

#include "drivers/uv/held_descriptor.h"
#include "firmware/base/result.h"

namespace sluice::drivers {

// Makes the folder (0700) and its parents. Errors: refused.
Result<void> make_control_folder(const std::string& folder);

// Errors: gone (no such file, or nobody listens), busy (too many wait), refused.
Result<HeldDescriptor> connect_to(const std::string& path);

// A listening socket, mode 0600, in place of a file that nobody listens at.
// Errors: refused (somebody does; or the kernel's words).
Result<HeldDescriptor> listen_at(const std::string& path);

}  // namespace sluice::drivers
