// Jobs on libuv's worker threads.
// Lifetime: destruction waits until every job that was asked for has run; no `done` follows.
#pragma once

#include <memory>

#include "drivers/uv/loop.h"
#include "firmware/ports/work.h"

namespace sluice::drivers {

class UvWork final : public ports::Work {
 public:
  explicit UvWork(UvLoop& loop);
  ~UvWork() override;
  UvWork(const UvWork&) = delete;
  UvWork& operator=(const UvWork&) = delete;

  void run(Callback job, Callback done) override;

 private:
  struct Tally;
  struct Order;

  UvLoop& loop_;
  std::shared_ptr<Tally> tally_;  // outlives this: libuv still holds the orders of run jobs
};

}  // namespace sluice::drivers
