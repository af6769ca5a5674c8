// An event that an owner wants to hear of. Called at most as often as its port says.
#pragma once

#include <functional>

namespace sluice {

using Callback = std::function<void()>;

}  // namespace sluice
