// One libuv timer, as an object: milliseconds, once. The handle itself lives on until libuv has
// closed it.
#pragma once

#include <cstdint>

#include "firmware/base/callback.h"

struct uv_loop_s;
typedef struct uv_loop_s uv_loop_t;

namespace sluice::drivers {

class LoopTimer {
 public:
  LoopTimer(uv_loop_t* loop, Callback on_fire);
  ~LoopTimer();  // also from inside on_fire
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;

  void start(uint64_t after_ms);  // anew, if it runs; 0 = in a later phase, never inside this call
  void stop();
  bool is_running() const;

 private:
  struct Handle;
  Handle* handle_;
};

}  // namespace sluice::drivers
