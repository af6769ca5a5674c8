// Jobs one after the other on one thread of their own: for calls into drivers that may block for
// long, or for ever. They hold no worker up, and not the end of the program either.
// Lifetime: destruction waits `patience` for the job that runs; one that does not end by then is
// left to itself with what it holds. Jobs that have not begun are dropped; no `done` follows.
#pragma once

#include <memory>

#include "drivers/uv/loop.h"
#include "firmware/base/time.h"
#include "firmware/ports/work.h"

namespace sluice::drivers {

inline constexpr Duration kThreadPatience = Duration::seconds(2);

class UvOwnThread final : public ports::Work {
 public:
  explicit UvOwnThread(UvLoop& loop, Duration patience = kThreadPatience);
  ~UvOwnThread() override;
  UvOwnThread(const UvOwnThread&) = delete;
  UvOwnThread& operator=(const UvOwnThread&) = delete;

  void run(Callback job, Callback done) override;  // the first one starts the thread

 private:
  struct Shared;  // with the thread, which may outlive this

  UvLoop& loop_;
  const Duration patience_;
  std::shared_ptr<Shared> shared_;  // null: no thread yet
};

}  // namespace sluice::drivers
