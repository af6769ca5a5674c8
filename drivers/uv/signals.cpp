#include "drivers/uv/signals.h"

#include <uv.h>

#include <csignal>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

UvSignals::UvSignals(UvLoop& loop, Callback on_stop, Callback on_reload, Callback on_upgrade)
    : on_stop_(std::move(on_stop)),
      on_reload_(std::move(on_reload)),
      on_upgrade_(std::move(on_upgrade)),
      handles_{watch(loop, SIGTERM), watch(loop, SIGINT), watch(loop, SIGHUP),
               watch(loop, SIGUSR2)} {}

UvSignals::~UvSignals() {
  for (uv_signal_t* handle : handles_) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_signal_t*>(closed); });
  }
}

uv_signal_t* UvSignals::watch(UvLoop& loop, int number) {
  auto* handle = new uv_signal_t;
  ENSURE(uv_signal_init(loop.raw(), handle) == 0);
  handle->data = this;
  ENSURE(uv_signal_start(handle, on_signal, number) == 0);
  return handle;
}

void UvSignals::on_signal(uv_signal_t* handle, int number) noexcept {
  auto* signals = static_cast<UvSignals*>(handle->data);
  if (number == SIGHUP) {
    signals->on_reload_();
  } else if (number == SIGUSR2) {
    signals->on_upgrade_();
  } else {
    signals->on_stop_();
  }
}

}  // namespace sluice::drivers
