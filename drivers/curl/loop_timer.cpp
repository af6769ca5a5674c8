#include "drivers/curl/loop_timer.h"

#include <uv.h>

#include <utility>

#include "firmware/base/check.h"

namespace sluice::drivers {

struct LoopTimer::Handle {
  uv_timer_t timer;
  Callback on_fire;

  static Handle* of(void* data) { return static_cast<Handle*>(data); }
  static void fired(uv_timer_t* timer) noexcept {
    const Callback on_fire = of(timer->data)->on_fire;  // it may destroy its own place
    on_fire();
  }
  static void closed(uv_handle_t* handle) noexcept { delete of(handle->data); }
};

LoopTimer::LoopTimer(uv_loop_t* loop, Callback on_fire) : handle_(new Handle()) {
  handle_->on_fire = std::move(on_fire);
  handle_->timer.data = handle_;
  ENSURE(uv_timer_init(loop, &handle_->timer) == 0);
}

LoopTimer::~LoopTimer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->timer), Handle::closed);
}

void LoopTimer::start(uint64_t after_ms) {
  uv_timer_start(&handle_->timer, Handle::fired, after_ms, 0);
}

void LoopTimer::stop() { uv_timer_stop(&handle_->timer); }

bool LoopTimer::is_running() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->timer)) != 0;
}

}  // namespace sluice::drivers
