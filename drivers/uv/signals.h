// What the supervisor asks of the process: SIGTERM and SIGINT to stop, SIGHUP to load the settings
// again, SIGUSR2 to give way to a new process of the program. The callbacks run on the loop thread,
// as often as the signal is seen. (SIGPIPE is ignored by UvLoop.)
#pragma once

#include <array>

#include "drivers/uv/loop.h"
#include "firmware/base/callback.h"

struct uv_signal_s;
typedef struct uv_signal_s uv_signal_t;

namespace sluice::drivers {

class UvSignals {
 public:
  UvSignals(UvLoop& loop, Callback on_stop, Callback on_reload, Callback on_upgrade);
  ~UvSignals();
  UvSignals(const UvSignals&) = delete;
  UvSignals& operator=(const UvSignals&) = delete;

 private:
  static void on_signal(uv_signal_t* handle, int number) noexcept;
  uv_signal_t* watch(UvLoop& loop, int number);

  Callback on_stop_;
  Callback on_reload_;
  Callback on_upgrade_;
  std::array<uv_signal_t*, 4> handles_;  // each lives until its close callback
};

}  // namespace sluice::drivers
